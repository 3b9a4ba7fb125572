"use client";

import { CalendarClock } from "lucide-react";
import { Suspense, useState } from "react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
import { Badge } from "@/components/ui/badge";
import { buttonVariants } from "@/components/ui/button";
import { Card, CardContent, CardFooter } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { usePlans } from "@/hooks/billing/usePlans";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { useReactivateSubscription } from "@/hooks/billing/useSubscriptionChanges";
import { useNow } from "@/hooks/useToday";
import { currentPrice, periodLine, planName, priceText, statusBadge } from "@/lib/billing/plans";
import type { PlanResponse, SubscriptionResponse } from "@/lib/billing/types";
import { daysUntil, formatDate, plural } from "@/lib/format";
import { lazyPart } from "@/lib/lazyPart";

const CancelDialog = lazyPart(() => import("@/components/billing/CancelDialog"));
const UpgradeDialog = lazyPart(() => import("@/components/billing/UpgradeDialog"));

export function SubscriptionCard() {
  const { organizationId } = useSession();
  const subscription = useSubscription(organizationId);
  const plans = usePlans();
  return (
    <Section id="plan" title="Current plan" className="flex flex-col">
      <Card className="flex flex-1 flex-col">
        <QueryView query={subscription} skeleton={<SubscriptionSkeleton />}>
          {(data) => <Subscription subscription={data} plans={plans.data?.plans} />}
        </QueryView>
      </Card>
    </Section>
  );
}

interface SubscriptionProps {
  subscription: SubscriptionResponse;
  plans: PlanResponse[] | undefined;
}

function Subscription({ subscription, plans }: SubscriptionProps) {
  const badge = statusBadge(subscription);
  const price = priceText(currentPrice(subscription, plans));
  return (
    <>
      <CardContent className="flex-1">
        <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
          <div className="min-w-0">
            <div className="flex flex-wrap items-center gap-2.5">
              <p className="font-semibold text-2xl tracking-tight" data-testid="tier">
                {planName(plans, subscription.tier)}
              </p>
              <Badge variant={badge.variant} dot>
                {badge.text}
              </Badge>
            </div>
            <p className="mt-1.5 text-muted-foreground text-sm">{periodLine(subscription)}</p>
          </div>
          <p className="sm:text-right">
            <span className="font-semibold text-2xl tabular-nums tracking-tight">
              {price.amount}
            </span>{" "}
            <span className="text-muted-foreground text-sm">{price.per}</span>
          </p>
        </div>
        <Facts subscription={subscription} />
        {subscription.pending_tier && <PendingChange subscription={subscription} plans={plans} />}
        {subscription.warnings.map(({ resource, detail }) => (
          <Alert key={resource} variant="warning" title={detail} className="mt-3" />
        ))}
      </CardContent>
      <Actions subscription={subscription} plans={plans} />
    </>
  );
}

function Facts({ subscription }: { subscription: SubscriptionResponse }) {
  const facts = factsOf(subscription, useNow());
  return (
    <dl className="mt-6 grid gap-x-8 gap-y-4 sm:grid-cols-2">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt className="text-muted-foreground text-xs">{name}</dt>
          <dd className="mt-1 font-medium text-sm tabular-nums">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function factsOf(subscription: SubscriptionResponse, now: Date): [string, string][] {
  const { current_period_start: start, current_period_end: end, trial_end } = subscription;
  const facts: [string, string][] = [];
  if (start && end) facts.push(["Current period", `${formatDate(start)} – ${formatDate(end)}`]);
  if (subscription.workflows_reset_at) {
    facts.push(["Workflows reset", formatDate(subscription.workflows_reset_at)]);
  }
  if (subscription.status === "trialing" && trial_end) {
    facts.push(["Trial", `${plural(daysUntil(trial_end, now), "day")} left`]);
  }
  if (subscription.is_byo) {
    const providers = subscription.byo_providers_configured ?? [];
    facts.push(["Your own keys", providers.length > 0 ? providers.join(", ") : "None yet"]);
  }
  return facts;
}

function PendingChange({ subscription, plans }: SubscriptionProps) {
  const [isOpen, setIsOpen] = useState(false);
  const current = planName(plans, subscription.tier);
  return (
    <div className="mt-6 flex flex-wrap items-center gap-3 rounded-lg bg-brand-muted px-3.5 py-2.5 text-sm">
      <CalendarClock aria-hidden="true" className="size-4 text-brand" />
      <p className="min-w-0 flex-1">
        Changes to {planName(plans, subscription.pending_tier ?? "free")} on{" "}
        {formatDate(subscription.pending_change_at)}
      </p>
      <ManageButton variant="outline" size="sm" onClick={() => setIsOpen(true)}>
        Keep {current}
      </ManageButton>
      <Suspense>
        {isOpen && <UpgradeDialog tier={subscription.tier} onClose={() => setIsOpen(false)} />}
      </Suspense>
    </div>
  );
}

function Actions({ subscription, plans }: SubscriptionProps) {
  const [isCanceling, setIsCanceling] = useState(false);
  const isPaid = subscription.tier !== "free" && !subscription.is_lifetime;
  return (
    <CardFooter>
      <a href="#plans" className={buttonVariants({ size: "sm" })}>
        {subscription.tier === "free" ? "Upgrade" : "Change plan"}
      </a>
      {isPaid && subscription.cancel_at_period_end && (
        <Reactivate organizationId={subscription.organization_id} />
      )}
      {isPaid && !subscription.cancel_at_period_end && subscription.price !== null && (
        <ManageButton variant="ghost" size="sm" onClick={() => setIsCanceling(true)}>
          Cancel plan
        </ManageButton>
      )}
      <Suspense>
        {isCanceling && (
          <CancelDialog
            subscription={subscription}
            name={planName(plans, subscription.tier)}
            onClose={() => setIsCanceling(false)}
          />
        )}
      </Suspense>
    </CardFooter>
  );
}

function Reactivate({ organizationId }: { organizationId: string }) {
  const reactivate = useReactivateSubscription(organizationId);
  return (
    <ManageButton
      variant="outline"
      size="sm"
      busy={reactivate.isPending}
      onClick={() => reactivate.mutate()}
    >
      Reactivate
    </ManageButton>
  );
}

export function SubscriptionSkeleton() {
  return (
    <>
      <CardContent className="flex-1">
        <div className="flex justify-between">
          <Skeleton className="h-8 w-36" />
          <Skeleton className="h-8 w-28" />
        </div>
        <Skeleton className="mt-2 h-4 w-44" />
        <div className="mt-6 grid gap-8 sm:grid-cols-2">
          <Skeleton className="h-9 w-44" />
          <Skeleton className="h-9 w-28" />
        </div>
      </CardContent>
      <CardFooter>
        <Skeleton className="h-8 w-28" />
      </CardFooter>
    </>
  );
}

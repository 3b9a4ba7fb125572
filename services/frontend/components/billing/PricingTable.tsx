"use client";

import { Check } from "lucide-react";
import { Suspense, useState } from "react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { LifetimePurchaseCard } from "@/components/billing/LifetimePurchaseCard";
import { Alert } from "@/components/ui/alert";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { usePlans } from "@/hooks/billing/usePlans";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { type PlanChoice, planChoice, priceText, whyNoChange } from "@/lib/billing/plans";
import type { PlanResponse, SubscriptionResponse, Tier } from "@/lib/billing/types";
import { formatLimit, plural } from "@/lib/format";
import { lazyPart } from "@/lib/lazyPart";
import { cn } from "@/lib/utils";

const UpgradeDialog = lazyPart(() => import("@/components/billing/UpgradeDialog"));

export default function PricingTable() {
  const { organizationId } = useSession();
  const plans = usePlans();
  const subscription = useSubscription(organizationId);
  const [chosen, setChosen] = useState<Tier | null>(null);
  return (
    <Section
      id="plans"
      title="Compare plans"
      description="Upgrades apply at once, downgrades when the period ends."
    >
      <QueryView query={plans} skeleton={<Skeleton className="h-120 rounded-xl" />}>
        {(data) => (
          <div className="space-y-4">
            {subscription.isLoadingError && (
              <Alert
                variant="warning"
                title="Which plan you have could not be loaded"
                action={<RetryButton query={subscription} />}
              />
            )}
            <ul className="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">
              {data.plans
                .filter((plan) => plan.interval !== "once")
                .map((plan) => (
                  <Plan
                    key={plan.tier}
                    plan={plan}
                    plans={data.plans}
                    subscription={subscription.data}
                    isUnknown={subscription.isLoadingError}
                    onChoose={setChosen}
                  />
                ))}
            </ul>
            <LifetimePurchaseCard />
          </div>
        )}
      </QueryView>
      <Suspense>
        {chosen && <UpgradeDialog tier={chosen} onClose={() => setChosen(null)} />}
      </Suspense>
    </Section>
  );
}

function RetryButton({ query }: { query: ReturnType<typeof useSubscription> }) {
  return (
    <Button variant="outline" size="sm" busy={query.isFetching} onClick={() => query.refetch()}>
      Try again
    </Button>
  );
}

interface PlanProps {
  plan: PlanResponse;
  plans: PlanResponse[];
  subscription: SubscriptionResponse | undefined;
  /** Whether nobody knows which plan is the current one, so that none can be chosen. */
  isUnknown: boolean;
  onChoose: (tier: Tier) => void;
}

function Plan({ plan, plans, subscription, isUnknown, onChoose }: PlanProps) {
  const choice = subscription && planChoice(plan, subscription, plans);
  const isCurrent = choice === "current" || choice === "again" || choice === "back";
  const price = priceText(plan);
  return (
    <li data-tier={plan.tier} className="grid">
      <Card className={cn("flex flex-col p-5", { "border-brand ring-1 ring-brand": isCurrent })}>
        <div className="flex items-center justify-between gap-2">
          <h3 className="font-medium text-sm">{plan.name}</h3>
          {isCurrent && <Badge variant="brand">Current plan</Badge>}
          {subscription?.pending_tier === plan.tier && <Badge variant="outline">Next</Badge>}
        </div>
        <p className="mt-3">
          <span className="font-semibold text-2xl tabular-nums tracking-tight">{price.amount}</span>{" "}
          <span className="text-muted-foreground text-sm">{price.per}</span>
        </p>
        <ul className="mt-4 mb-5 flex-1 space-y-2 text-sm">
          {featuresOf(plan).map((feature) => (
            <li key={feature} className="flex gap-2">
              <Check aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-brand" />
              {feature}
            </li>
          ))}
        </ul>
        {!isUnknown && (
          <PlanButton
            plan={plan}
            choice={choice}
            off={subscription ? whyNoChange(subscription) : null}
            onChoose={onChoose}
          />
        )}
      </Card>
    </li>
  );
}

function featuresOf(plan: PlanResponse): string[] {
  return [
    `${formatLimit(plan.workflows_limit)} workflows per month`,
    `${formatLimit(plan.agents_limit)} ${plan.agents_limit === 1 ? "agent" : "agents"}`,
    plan.storage_limit_gb === -1 ? "Unlimited storage" : `${plan.storage_limit_gb} GB of storage`,
    ...(plan.trial_days > 0 ? [`First ${plural(plan.trial_days, "day")} free`] : []),
    ...plan.notes.filter((note) => note !== "Contact us"),
  ];
}

interface PlanButtonProps {
  plan: PlanResponse;
  choice: PlanChoice | undefined;
  /** Why no other plan can be chosen. */
  off: string | null;
  onChoose: (tier: Tier) => void;
}

const TEXTS: Record<Exclude<PlanChoice, "contact">, (name: string) => string> = {
  current: () => "Current plan",
  again: (name) => `Start ${name} again`,
  back: (name) => `Keep ${name}`,
  upgrade: (name) => `Upgrade to ${name}`,
  downgrade: (name) => `Switch to ${name}`,
  lifetime: (name) => `Get ${name}`,
};

function PlanButton({ plan, choice, off, onChoose }: PlanButtonProps) {
  if (!choice) return <Skeleton className="h-9" />;
  if (choice === "contact") {
    return (
      <p className="flex min-h-9 items-center text-muted-foreground text-sm">
        Made to measure: ask your contact at OmoiOS.
      </p>
    );
  }
  const reason = choice === "current" ? "This is your plan." : choice === "back" ? null : off;
  return (
    <div className="grid [&>span]:grid">
      <ManageButton
        variant={choice === "upgrade" ? "default" : "outline"}
        off={reason}
        onClick={() => onChoose(plan.tier)}
      >
        {TEXTS[choice](plan.name)}
      </ManageButton>
    </div>
  );
}

"use client";

import type { ReactNode } from "react";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Meter } from "@/components/ui/meter";
import { Skeleton } from "@/components/ui/skeleton";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { useUsageSummary } from "@/hooks/billing/useUsageSummary";
import { type Gauge, gaugesOf } from "@/lib/billing/meters";
import type { UsageSummaryResponse } from "@/lib/billing/types";
import { formatDate, formatMoney, plural } from "@/lib/format";
import { cn } from "@/lib/utils";

export function UsageCard() {
  const { organizationId } = useSession();
  const subscription = useSubscription(organizationId);
  return (
    <Section id="usage" title="Usage" description="What this period has used of your plan.">
      <Card>
        <QueryView
          query={subscription}
          skeleton={
            <>
              <UsageSkeleton />
              <Foot />
            </>
          }
        >
          {(data) => (
            <>
              <div className="grid divide-border max-md:divide-y md:grid-cols-3 md:divide-x">
                {gaugesOf(data).map((gauge) => (
                  <GaugeView key={gauge.label} gauge={gauge} />
                ))}
              </div>
              <FreeWorkflows />
            </>
          )}
        </QueryView>
      </Card>
    </Section>
  );
}

function GaugeView({ gauge }: { gauge: Gauge }) {
  const [value, rest] = splitText(gauge.text);
  return (
    <div className="p-5 sm:p-6" data-testid={`usage-${gauge.label.toLowerCase()}`}>
      <p className="text-muted-foreground text-sm">{gauge.label}</p>
      <p className="mt-1.5 tabular-nums">
        <span className="font-semibold text-xl tracking-tight">{value}</span>
        <span className="text-muted-foreground text-sm">{rest}</span>
      </p>
      <Meter
        className="mt-4"
        label={gauge.label}
        value={gauge.taken}
        max={gauge.isUnlimited ? Math.max(gauge.taken * 4, 1) : gauge.limit}
        text={`${gauge.text}, ${gauge.hint.toLowerCase()}`}
        tone={gauge.tone}
      />
      <p
        className={cn("mt-2.5 flex justify-between gap-3 text-muted-foreground text-xs", {
          "font-medium text-warning": gauge.tone === "warning",
          "font-medium text-danger": gauge.tone === "danger",
        })}
      >
        {gauge.tone === "warning" ? `Almost used up: ${gauge.hint}` : gauge.hint}
        {gauge.tone === "danger" && (
          <a
            href="#plans"
            className="inline-flex items-center underline underline-offset-2 pointer-coarse:-my-3.5 pointer-coarse:min-h-11"
          >
            See plans
          </a>
        )}
      </p>
    </div>
  );
}

/** "87" and " of 100". */
function splitText(text: string): [string, string] {
  const at = text.search(/ (of|used)/);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
}

/** As high as a line, also while there is nothing in it. */
function Foot({ children }: { children?: ReactNode }) {
  return (
    <div className="min-h-11 border-border border-t px-5 py-3 text-muted-foreground text-sm sm:px-6">
      {children}
    </div>
  );
}

function FreeWorkflows() {
  const { organizationId } = useSession();
  const usage = useUsageSummary(organizationId);
  if (usage.data) return <Foot>{freeSentence(usage.data)}</Foot>;
  if (!usage.error) return <Foot />;
  return (
    <Foot>
      <span role="alert">The free workflows could not be read.</span>{" "}
      <Button variant="link" size="sm" busy={usage.isRefetching} onClick={() => usage.refetch()}>
        Try again
      </Button>
    </Foot>
  );
}

function freeSentence(usage: UsageSummaryResponse): string {
  const each = `${formatMoney(usage.workflow_price)} each`;
  const resets = formatDate(usage.free_workflows_reset_at);
  if (usage.free_workflows_limit === 0) return `Workflows beyond the plan are ${each}.`;
  return usage.free_workflows_remaining > 0
    ? `${plural(usage.free_workflows_remaining, "free workflow")} left until ${resets}. Beyond that, ${each}.`
    : `The free workflows of this month are used; new ones come on ${resets}. Until then, ${each}.`;
}

export function UsageSkeleton() {
  return (
    <div className="grid divide-border max-md:divide-y md:grid-cols-3 md:divide-x">
      {["Workflows", "Agents", "Storage"].map((label) => (
        <div key={label} className="p-5 sm:p-6">
          <Skeleton className="h-5 w-20" />
          <Skeleton className="mt-1.5 h-7 w-28" />
          <Skeleton className="mt-4 h-1.5 w-full" />
          <Skeleton className="mt-2.5 h-4 w-16" />
        </div>
      ))}
    </div>
  );
}

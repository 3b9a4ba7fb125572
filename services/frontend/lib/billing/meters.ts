// What meters say in words. Pure; every number comes from the server.
import type { MeterTone } from "@/components/ui/meter";
import type { SubscriptionResponse } from "@/lib/billing/types";
import { formatNumber, UNLIMITED } from "@/lib/format";

const NEAR_PERCENT = 80;

export interface Gauge {
  label: string;
  /** What is taken of the limit: what was used, and what is running. */
  taken: number;
  limit: number;
  /** "87 of 100". */
  text: string;
  /** "13 left", or that there is no limit; before it what is running: "2 running, 11 left". */
  hint: string;
  tone: MeterTone;
  isUnlimited: boolean;
}

interface Reading {
  label: string;
  used: number;
  limit: number;
  /** What is neither used nor free. */
  running?: number;
  /** What the server says is left, where it says so. */
  remaining?: number;
  /** Put behind numbers, as in " GB". */
  unit?: string;
}

/** A meter with what it says in words. */
export function gauge({ label, used, limit, running = 0, remaining, unit = "" }: Reading): Gauge {
  const told = `${formatNumber(used)}${unit}`;
  const isRunning = running > 0 ? `${formatNumber(running)} running, ` : "";
  const taken = used + running;
  if (limit === UNLIMITED) {
    const hint = isRunning ? `${isRunning}unlimited` : "Unlimited";
    const text = `${told} used`;
    return { label, taken, limit, text, hint, tone: "normal", isUnlimited: true };
  }
  const left = remaining ?? limit - used;
  const isReached = left <= 0;
  const isNear = !isReached && (taken / limit) * 100 >= NEAR_PERCENT;
  return {
    label,
    taken,
    limit,
    text: `${told} of ${formatNumber(limit)}${unit}`,
    hint: `${isRunning}${leftText(used - limit, left, isRunning !== "", unit)}`,
    tone: isReached ? "danger" : isNear ? "warning" : "normal",
    isUnlimited: false,
  };
}

function leftText(over: number, left: number, isSecond: boolean, unit: string): string {
  if (over > 0) return `${formatNumber(round(over))}${unit} over the limit`;
  if (left > 0) return `${formatNumber(round(left))}${unit} left`;
  return isSecond ? "limit reached" : "Limit reached";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const WORKFLOWS = "Workflows";

export function gaugesOf(subscription: SubscriptionResponse): Gauge[] {
  return [
    gauge({
      label: WORKFLOWS,
      used: subscription.workflows_used,
      limit: subscription.workflows_limit,
      running: subscription.workflows_reserved,
      remaining: subscription.workflows_remaining,
    }),
    gauge({
      label: "Agents",
      used: subscription.agents_used,
      limit: subscription.agents_limit,
    }),
    gauge({
      label: "Storage",
      used: round(subscription.storage_used_gb),
      limit: subscription.storage_limit_gb,
      unit: " GB",
    }),
  ];
}

/** What is used up of a subscription, in the words of a sentence: "workflows", "agents". */
export function reachedLimits(subscription: SubscriptionResponse): string[] {
  return gaugesOf(subscription)
    .filter((each) => each.tone === "danger")
    .map((each) => each.label.toLowerCase());
}

/** Whether no workflow is left in the plan. */
export function isOutOfWorkflows(subscription: SubscriptionResponse): boolean {
  return reachedLimits(subscription).includes(WORKFLOWS.toLowerCase());
}

// What a subscription and its meters say in words. Pure; every number comes from the server.
import type { BadgeVariant } from "@/components/ui/badge";
import type { MeterTone } from "@/components/ui/meter";
import type {
  PlanResponse,
  SubscriptionResponse,
  SubscriptionStatus,
  Tier,
} from "@/lib/billing/types";
import { formatDate, formatMoney, formatNumber, formatPrice, UNLIMITED } from "@/lib/format";

const NEAR_PERCENT = 80;

const STATUSES: Record<SubscriptionStatus, { text: string; variant: BadgeVariant }> = {
  active: { text: "Active", variant: "success" },
  trialing: { text: "Trial", variant: "brand" },
  past_due: { text: "Past due", variant: "danger" },
  canceled: { text: "Canceled", variant: "neutral" },
  paused: { text: "Paused", variant: "warning" },
  incomplete: { text: "Payment incomplete", variant: "warning" },
};

/** The badge of a subscription; suspension outranks everything else. */
export function statusBadge(subscription: SubscriptionResponse): {
  text: string;
  variant: BadgeVariant;
} {
  if (subscription.suspended) return { text: "Suspended", variant: "danger" };
  if (subscription.cancel_at_period_end) return { text: "Ends soon", variant: "warning" };
  return STATUSES[subscription.status];
}

export function planOf(plans: readonly PlanResponse[], tier: Tier): PlanResponse | undefined {
  return plans.find((plan) => plan.tier === tier);
}

/** The name of a tier; its own word while the catalogue is not there. */
export function planName(plans: readonly PlanResponse[] | undefined, tier: Tier): string {
  const found = plans && planOf(plans, tier);
  return found?.name ?? tier.charAt(0).toUpperCase() + tier.slice(1);
}

/** What a plan costs, in two parts: "$79" and "per month". */
export function priceText(plan: Pick<PlanResponse, "price" | "interval">): {
  amount: string;
  per: string;
} {
  if (plan.price === null) return { amount: "Custom", per: "" };
  const per = { month: "per month", once: "once" }[plan.interval ?? "month"];
  return { amount: formatPrice(plan.price), per: plan.price === 0 ? "" : per };
}

/** What the current plan costs. While a change waits, the subscription has the coming price. */
export function currentPrice(
  subscription: SubscriptionResponse,
  plans: readonly PlanResponse[] | undefined,
): Pick<PlanResponse, "price" | "interval"> {
  const plan = plans && planOf(plans, subscription.tier);
  const price = subscription.pending_tier && plan ? plan.price : subscription.price;
  return { price, interval: plan?.interval ?? "month" };
}

/** When the next thing happens to a subscription, in one line. */
export function periodLine(subscription: SubscriptionResponse): string {
  const { status, current_period_end: end } = subscription;
  if (subscription.is_lifetime) {
    return `Yours for life since ${formatDate(subscription.lifetime_purchase_date)}`;
  }
  if (subscription.cancel_at_period_end) return `Ends on ${formatDate(end)}`;
  if (status === "trialing") return `Trial until ${formatDate(subscription.trial_end ?? end)}`;
  if (subscription.tier === "free") return "No charge, no card needed";
  if (status === "past_due") return "The last payment failed";
  return end ? `Renews on ${formatDate(end)}` : "Active";
}

export interface Gauge {
  label: string;
  used: number;
  limit: number;
  /** "87 of 100 workflows". */
  text: string;
  /** "13 left", or that there is no limit. */
  hint: string;
  tone: MeterTone;
  isUnlimited: boolean;
}

/** A meter with what it says in words; `unit` is put behind numbers, as in " GB". */
export function gauge(label: string, used: number, limit: number, unit = ""): Gauge {
  const told = `${formatNumber(used)}${unit}`;
  if (limit === UNLIMITED) {
    const text = `${told} used`;
    return { label, used, limit, text, hint: "Unlimited", tone: "normal", isUnlimited: true };
  }
  const percent = limit > 0 ? (used / limit) * 100 : 100;
  const tone = percent >= 100 ? "danger" : percent >= NEAR_PERCENT ? "warning" : "normal";
  return {
    label,
    used,
    limit,
    text: `${told} of ${formatNumber(limit)}${unit}`,
    hint: leftText(used, limit, unit),
    tone,
    isUnlimited: false,
  };
}

function leftText(used: number, limit: number, unit: string): string {
  if (used > limit) return `${formatNumber(round(used - limit))}${unit} over the limit`;
  if (used === limit) return "Limit reached";
  return `${formatNumber(round(limit - used))}${unit} left`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The gauges of a subscription that are used up. */
export function reachedGauges(subscription: SubscriptionResponse): Gauge[] {
  return gaugesOf(subscription).filter((each) => each.tone === "danger");
}

export function gaugesOf(subscription: SubscriptionResponse): Gauge[] {
  return [
    gauge("Workflows", subscription.workflows_used, subscription.workflows_limit),
    gauge("Agents", subscription.agents_used, subscription.agents_limit),
    gauge("Storage", round(subscription.storage_used_gb), subscription.storage_limit_gb, " GB"),
  ];
}

/** How the button of a plan is called, seen from the current one. */
export type PlanChoice = "current" | "upgrade" | "downgrade" | "contact" | "lifetime" | "back";

export function planChoice(
  plan: PlanResponse,
  subscription: SubscriptionResponse,
  plans: readonly PlanResponse[],
): PlanChoice {
  const { price: current } = currentPrice(subscription, plans);
  if (plan.tier === subscription.tier) return subscription.pending_tier ? "back" : "current";
  if (plan.price === null) return "contact";
  if (plan.interval === "once") return "lifetime";
  return plan.price > (current ?? Number.POSITIVE_INFINITY) ? "upgrade" : "downgrade";
}

/** What a preview of a change comes to, in one sentence. */
export function changeSentence(dueNow: number, takesEffectAt: string | null): string {
  if (dueNow > 0) return `${formatMoney(dueNow)} is charged now, and the new limits apply at once.`;
  return takesEffectAt
    ? `Nothing is charged today. The change takes effect on ${formatDate(takesEffectAt)}.`
    : "Nothing is charged today.";
}

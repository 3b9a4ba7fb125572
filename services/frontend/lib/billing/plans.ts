// What plans and a subscription say in words. Pure; every number comes from the server.
import type { BadgeVariant } from "@/components/ui/badge";
import type {
  PlanResponse,
  SubscriptionResponse,
  SubscriptionStatus,
  Tier,
} from "@/lib/billing/types";
import { formatDate, formatPrice } from "@/lib/format";

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

/** How the button of a plan is called, seen from the current one. */
export type PlanChoice =
  | "current"
  | "again"
  | "upgrade"
  | "downgrade"
  | "contact"
  | "lifetime"
  | "back";

export function planChoice(
  plan: PlanResponse,
  subscription: SubscriptionResponse,
  plans: readonly PlanResponse[],
): PlanChoice {
  const { price: current } = currentPrice(subscription, plans);
  if (plan.tier === subscription.tier) {
    if (subscription.pending_tier) return "back";
    // It stands still and serves nothing: the same plan is bought anew.
    return subscription.status === "paused" ? "again" : "current";
  }
  if (plan.price === null) return "contact";
  if (plan.interval === "once") return "lifetime";
  return plan.price > (current ?? Number.POSITIVE_INFINITY) ? "upgrade" : "downgrade";
}

/** Whether a plan was set up by an operator: nobody renews it, so it has no price of its own. */
function isByHand({ tier, is_lifetime, price }: SubscriptionResponse): boolean {
  return tier !== "free" && !is_lifetime && price === null;
}

/** Why no plan can be chosen, as the server would say; null when one can. */
export function whyNoChange(subscription: SubscriptionResponse): string | null {
  if (subscription.is_lifetime) return "You have the lifetime plan: there is nothing to change.";
  if (isByHand(subscription)) return "This plan was set up by us. Please contact us to change it.";
  return subscription.status === "past_due" ? "Pay what is due before you change the plan." : null;
}

/** Why the lifetime plan cannot be bought; a plan that runs is replaced by it. */
export function whyNoLifetime(subscription: SubscriptionResponse): string | null {
  return isByHand(subscription) ? whyNoChange(subscription) : null;
}

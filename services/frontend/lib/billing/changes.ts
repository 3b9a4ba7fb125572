// What a change of plan comes to, in words. Pure; every sum and date comes from the server.
import type { ChangePreviewResponse, SubscriptionResponse } from "@/lib/billing/types";
import { formatDate, formatMoney } from "@/lib/format";

/** What a preview comes to, in one sentence. */
export function changeSentence(preview: ChangePreviewResponse): string {
  const { kind, due_now, takes_effect_at } = preview;
  if (kind === "checkout") return "You pay on a page of Stripe's, and come back here.";
  if (kind === "keep") return "The change that waits is taken back.";
  if (due_now > 0) {
    return `${formatMoney(due_now)} is charged now, and the new limits apply at once.`;
  }
  if (kind === "upgrade") return "Nothing is charged today, and the new limits apply at once.";
  return takes_effect_at
    ? `Nothing is charged today. The change takes effect on ${formatDate(takes_effect_at)}.`
    : "Nothing is charged today.";
}

export interface ChangeLine {
  label: string;
  amount: number;
  isTotal?: boolean;
}

/** What is charged now and why, and what from then on. */
export function changeLines(
  preview: ChangePreviewResponse,
  subscription: SubscriptionResponse | undefined,
): ChangeLine[] {
  const { due_now, unused_time, rest_of_period, next_period } = preview;
  const lines: ChangeLine[] = [];
  if (unused_time !== 0) lines.push({ label: "Credit for unused time", amount: unused_time });
  if (rest_of_period !== 0) {
    lines.push({ label: "Charge for the rest of this period", amount: rest_of_period });
  }
  lines.push({ label: "Due today", amount: due_now, isTotal: true });
  const isOnce = preview.to_tier === "lifetime";
  if (!isOnce) lines.push({ label: nextLabel(preview, subscription), amount: next_period });
  return lines;
}

/** Since when the next price is charged: an upgrade changes the price and not the day. */
function nextLabel(
  preview: ChangePreviewResponse,
  subscription: SubscriptionResponse | undefined,
): string {
  if (preview.kind === "checkout") {
    return preview.due_now === 0 ? "Each month after the trial" : "Each month after that";
  }
  const isTrial = subscription?.status === "trialing";
  const renewal = isTrial ? subscription?.trial_end : subscription?.current_period_end;
  const from =
    preview.kind === "keep" || preview.kind === "upgrade" ? renewal : preview.takes_effect_at;
  return from ? `Each month from ${formatDate(from)}` : "Each month after that";
}

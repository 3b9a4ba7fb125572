// What a live event means for what the page remembers. Pure.
import type { BillingTopic } from "@/lib/billing/queries";
import type { LiveEventName } from "@/lib/billing/types";

/** What is asked again after each event; `resync` means that anything may have been missed. */
export const TOPICS_OF: Record<LiveEventName, readonly BillingTopic[] | "all"> = {
  costs_recorded: ["costs"],
  account_changed: ["account", "usageSummary"],
  credits_changed: ["account", "credits", "usageSummary"],
  payment_methods_changed: ["paymentMethods", "account"],
  purchase_paid: ["account", "credits", "subscription", "usageSummary", "checkout", "invoices"],
  plan_changed: ["subscription", "usageSummary", "account"],
  limit_reached: ["subscription", "usageSummary"],
  usage_recorded: ["usage", "usageSummary", "subscription"],
  invoice_changed: ["invoices", "usage", "subscription"],
  payment_changed: ["invoices", "account"],
  credits_low: ["account"],
  notice_raised: [],
  resync: "all",
};

export const LIVE_EVENTS = Object.keys(TOPICS_OF) as LiveEventName[];

/** An event as it passes from the tab that hears it to the others. */
export interface LiveEvent {
  name: LiveEventName;
  data: Record<string, unknown>;
}

/** An event of the stream; null for what is not one of ours. */
export function parseEvent(name: string, text: string): LiveEvent | null {
  if (!(name in TOPICS_OF)) return null;
  const data: unknown = JSON.parse(text);
  if (typeof data !== "object" || data === null) return null;
  return { name: name as LiveEventName, data: data as Record<string, unknown> };
}

export interface Telling {
  severity: "info" | "success" | "warning" | "critical";
  title: string;
  text: string;
}

// Who has just changed the plan or paid knows that already.
const KNOWN_ALREADY = ["plan_changed", "invoice_issued", "invoice_paid"];

/** What to tell the user at once about an event; null for most of them. */
export function tellingOf(event: LiveEvent): Telling | null {
  if (event.name !== "notice_raised") return null;
  const { kind, severity, title, text } = event.data;
  if (KNOWN_ALREADY.includes(String(kind))) return null;
  if (typeof title !== "string" || typeof text !== "string") return null;
  return { severity: severity as Telling["severity"], title, text };
}

// What a payment method says in words. Pure.
import type { PaymentMethodResponse } from "@/lib/billing/types";

const BRANDS: Record<string, string> = {
  amex: "American Express",
  diners: "Diners Club",
  discover: "Discover",
  jcb: "JCB",
  mastercard: "Mastercard",
  unionpay: "UnionPay",
  visa: "Visa",
};

/** "Visa •••• 4242", or what else it is: "Link", "Sepa debit". */
export function methodName(method: PaymentMethodResponse): string {
  const brand = method.card_brand
    ? (BRANDS[method.card_brand] ?? capital(method.card_brand))
    : capital(method.type.replaceAll("_", " "));
  return method.card_last4 ? `${brand} •••• ${method.card_last4}` : brand;
}

/** The same for who hears it: digits one by one, not thousands. */
export function spokenName(method: PaymentMethodResponse): string {
  return methodName(method).replace("••••", "ending in");
}

export type Expiry = "valid" | "soon" | "expired";

/** A card is good until the last day of its month; `soon` is within two months. */
export function expiryOf(method: PaymentMethodResponse, now: Date): Expiry {
  if (!method.exp_month || !method.exp_year) return "valid";
  const monthsLeft =
    (method.exp_year - now.getUTCFullYear()) * 12 + method.exp_month - 1 - now.getUTCMonth();
  if (monthsLeft < 0) return "expired";
  return monthsLeft < 2 ? "soon" : "valid";
}

/** "04/30"; null for what does not expire. */
export function expiryText(method: PaymentMethodResponse): string | null {
  if (!method.exp_month || !method.exp_year) return null;
  const month = String(method.exp_month).padStart(2, "0");
  return `${month}/${String(method.exp_year % 100).padStart(2, "0")}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

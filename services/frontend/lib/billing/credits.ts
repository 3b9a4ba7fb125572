// What entries of the credit ledger say in words, and which amounts may be bought. Pure.
import type { CreditEntryResponse } from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";

const KINDS: Record<CreditEntryResponse["kind"], string> = {
  granted: "Added",
  burned: "Used",
  restored: "Given back",
  taken_back: "Taken back",
  reinstated: "Reinstated",
  expired: "Expired",
  debt: "Owed",
  debt_paid: "Debt paid",
};

export function entryKind(entry: CreditEntryResponse): string {
  return KINDS[entry.kind];
}

/** "+$25.00", "−$10.00": the sign is part of what is said. */
export function signedMoney(amount: number): string {
  if (amount === 0) return formatMoney(0);
  return `${amount > 0 ? "+" : "−"}${formatMoney(Math.abs(amount))}`;
}

/** Amounts offered with one click; any other one may be typed. */
export const PRESETS = [10, 25, 50, 100, 250] as const;

/**
 * The amount in dollars that was typed, or what is wrong with it. The server decides; this only
 * answers sooner, and knows nothing but that money has two decimals.
 */
export function readAmount(typed: string): { amount: number } | { problem: string } {
  const text = typed.trim().replace(/^\$/, "").replace(",", ".");
  if (!/^\d+(\.\d+)?$/.test(text)) return { problem: "Enter an amount in dollars, such as 25." };
  if (!/^\d+(\.\d{1,2})?$/.test(text)) return { problem: "An amount has at most two decimals." };
  const amount = Number(text);
  return amount > 0 ? { amount } : { problem: "Enter more than zero." };
}

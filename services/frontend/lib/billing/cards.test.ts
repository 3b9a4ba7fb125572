import { expect, test } from "vitest";
import { expiryOf, expiryText, methodName, spokenName } from "@/lib/billing/cards";
import { aPaymentMethod } from "@/mocks/examples";

const NOVEMBER = new Date("2026-11-22T12:00:00Z");

test("a card is named by its brand and last digits, for the eye and for the ear", () => {
  expect(methodName(aPaymentMethod())).toBe("Visa •••• 4242");
  expect(spokenName(aPaymentMethod({ card_brand: "amex" }))).toBe(
    "American Express ending in 4242",
  );
  expect(methodName(aPaymentMethod({ card_brand: "eftpos" }))).toBe("Eftpos •••• 4242");
  const debit = { type: "sepa_debit", card_brand: null, card_last4: null };
  expect(methodName(aPaymentMethod(debit))).toBe("Sepa debit");
});

test("a card is good until its month is over, and is said to expire in the last two", () => {
  const until = (exp_month: number, exp_year: number) =>
    expiryOf(aPaymentMethod({ exp_month, exp_year }), NOVEMBER);
  expect(until(10, 2026)).toBe("expired");
  expect(until(11, 2026)).toBe("soon");
  expect(until(12, 2026)).toBe("soon");
  expect(until(1, 2027)).toBe("valid");
  expect(expiryOf(aPaymentMethod({ exp_month: null, exp_year: null }), NOVEMBER)).toBe("valid");
});

test("its end is told as it stands on the card", () => {
  expect(expiryText(aPaymentMethod({ exp_month: 4, exp_year: 2030 }))).toBe("04/30");
  expect(expiryText(aPaymentMethod({ exp_month: null }))).toBeNull();
});

import { expect, test } from "vitest";
import {
  coverText,
  documentAddress,
  invoiceBadge,
  invoiceSums,
  isPayable,
  leftToPay,
  linePeriod,
  paymentLine,
  readStatus,
  unitPrice,
  usageName,
  whyNotPayable,
} from "@/lib/billing/invoices";
import { anInvoice, aUsageRecord } from "@/mocks/examples";

test("a status is a word, and only words of ours are read from an address", () => {
  expect(invoiceBadge("past_due")).toEqual({ text: "Past due", variant: "danger" });
  expect(readStatus("open")).toBe("open");
  expect(readStatus("everything")).toBeUndefined();
  expect(readStatus(null)).toBeUndefined();
});

test("what can be paid is open or past due, and more than nothing", () => {
  expect(isPayable(anInvoice())).toBe(true);
  expect(isPayable(anInvoice({ status: "past_due" }))).toBe(true);
  expect(isPayable(anInvoice({ amount_due: 0 }))).toBe(false);
  for (const status of ["draft", "paid", "void"] as const) {
    expect(isPayable(anInvoice({ status }))).toBe(false);
  }
});

test("why nothing is to pay is told, and what is left to pay otherwise", () => {
  expect(whyNotPayable(anInvoice())).toBeNull();
  expect(whyNotPayable(anInvoice({ status: "paid" }))).toBe("This invoice is paid already.");
  expect(whyNotPayable(anInvoice({ status: "void" }))).toMatch(/voided/);
  expect(whyNotPayable(anInvoice({ amount_due: 0 }))).toMatch(/Nothing is due/);
  expect(leftToPay(anInvoice({ amount_credited: 4, amount_paid: 1 }))).toBe(25);
});

test("an invoice says how its payment stands", () => {
  expect(paymentLine(anInvoice())).toBe("Due Nov 8, 2026");
  expect(paymentLine(anInvoice({ status: "past_due" }))).toBe("Was due Nov 8, 2026");
  const paid = anInvoice({ status: "paid", amount_paid: 30, paid_at: "2026-11-02T09:00:00Z" });
  expect(paymentLine(paid)).toBe("Paid Nov 2, 2026");
  expect(paymentLine({ ...paid, amount_refunded: 5 })).toBe("$5.00 refunded");
  expect(paymentLine({ ...paid, amount_due: 0, amount_paid: 0 })).toBe("Covered by credits");
  expect(paymentLine({ ...paid, amount_due: 0, amount_paid: 0, total: 0 })).toBe("Nothing to pay");
  expect(paymentLine({ ...paid, amount_credited: 30, amount_paid: 0 })).toBe(
    "Settled by credit notes",
  );
  expect(paymentLine({ ...paid, amount_credited: 10, amount_paid: 20 })).toBe("Paid Nov 2, 2026");
  expect(paymentLine({ ...paid, amount_disputed: 30 })).toBe("$30.00 disputed");
  expect(paymentLine({ ...paid, amount_refunded: 5, amount_disputed: 25 })).toBe("$25.00 disputed");
  expect(paymentLine({ ...paid, amount_disputed: 0 })).toBe("Paid Nov 2, 2026");
  const voided = anInvoice({ status: "void", voided_at: "2026-11-03T09:00:00Z" });
  expect(paymentLine(voided)).toBe("Voided Nov 3, 2026");
});

test("sums that change nothing are left out", () => {
  expect(invoiceSums(anInvoice()).map(({ label }) => label)).toEqual(["Subtotal", "Total"]);
  const all = anInvoice({ discount_amount: 3, tax_amount: 2, total: 29, credits_applied: 9 });
  expect(invoiceSums(all).map(({ amount }) => amount)).toEqual([30, -3, 2, 29, -9]);
});

test("a line names its period when it has its own", () => {
  const line = anInvoice().line_items[0];
  if (!line) throw new Error("the example has a line");
  expect(linePeriod(line)).toBeNull();
  const late = {
    ...line,
    period_start: "2026-09-01T00:00:00Z",
    period_end: "2026-10-01T00:00:00Z",
  };
  expect(linePeriod(late)).toBe("Sep 1, 2026 – Oct 1, 2026");
});

test("a use says what it was and what paid for it", () => {
  expect(usageName(aUsageRecord())).toBe("Workflow");
  expect(coverText(aUsageRecord())).toBe("Auto-billing");
  expect(coverText(aUsageRecord({ usage_details: null }))).toBe("To be invoiced");
  expect(coverText(aUsageRecord({ usage_details: null, billed: true }))).toBe("Billed");
});

test("a document has an address that nothing can break out of", () => {
  expect(documentAddress("a/../b", "pdf")).toBe("/api/billing/invoices/a%2F..%2Fb/pdf");
});

test("what one of a line costs is told, unless it is too little to be", () => {
  const line = { position: 1, kind: "llm_cost", description: "LLM usage" } as const;
  expect(unitPrice({ ...line, quantity: 3, unit_price: 10, total: 30 })).toBe("$10.00");
  expect(unitPrice({ ...line, quantity: 1000, unit_price: 0.00927, total: 9.27 })).toBe("$0.0093");
  expect(unitPrice({ ...line, quantity: 1000, unit_price: 0, total: 9.27 })).toBeNull();
  expect(unitPrice({ ...line, quantity: 5, unit_price: 0, total: 0 })).toBe("$0.00");
});

import { expect, test } from "vitest";
import { entryKind, readAmount, signedMoney } from "@/lib/billing/credits";
import { aCreditEntry } from "@/mocks/examples";

test("what happened to credits is a word and a sign", () => {
  expect(entryKind(aCreditEntry({ kind: "burned" }))).toBe("Used");
  expect(signedMoney(25)).toBe("+$25.00");
  expect(signedMoney(-0.5)).toBe("−$0.50");
  expect(signedMoney(0)).toBe("$0.00");
});

test("an amount is dollars with at most two decimals, however it is typed", () => {
  expect(readAmount(" $19,99 ")).toEqual({ amount: 19.99 });
  expect(readAmount("25")).toEqual({ amount: 25 });
  expect(readAmount("1.999")).toEqual({ problem: "An amount has at most two decimals." });
  expect(readAmount("0.00")).toEqual({ problem: "Enter more than zero." });
  for (const text of ["", "abc", "-5", "1e3", "1.2.3"]) {
    expect(readAmount(text)).toHaveProperty("problem");
  }
});

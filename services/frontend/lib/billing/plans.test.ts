import { describe, expect, test } from "vitest";
import {
  currentPrice,
  periodLine,
  planChoice,
  planName,
  priceText,
  statusBadge,
  whyNoChange,
  whyNoLifetime,
} from "@/lib/billing/plans";
import { aSubscription, thePlans } from "@/mocks/examples";

const { plans } = thePlans();
const plan = (tier: string) => {
  const found = plans.find((each) => each.tier === tier);
  if (!found) throw new Error(tier);
  return found;
};

describe("a subscription in words", () => {
  test.each([
    [{}, "Renews on Dec 3, 2026"],
    [{ cancel_at_period_end: true }, "Ends on Dec 3, 2026"],
    [{ status: "trialing", trial_end: "2026-11-30T00:00:00Z" }, "Trial until Nov 30, 2026"],
    [{ status: "past_due" }, "The last payment failed"],
    [{ tier: "free" }, "No charge, no card needed"],
    [{ tier: "enterprise", current_period_end: null }, "Active"],
    [
      { is_lifetime: true, lifetime_purchase_date: "2026-02-01T00:00:00Z" },
      "Yours for life since Feb 1, 2026",
    ],
  ] as const)("%j is told as %s", (changes, line) => {
    expect(periodLine(aSubscription(changes))).toBe(line);
  });

  test("suspension outranks every other state", () => {
    expect(statusBadge(aSubscription({ suspended: true, status: "past_due" })).text).toBe(
      "Suspended",
    );
    expect(statusBadge(aSubscription({ cancel_at_period_end: true })).text).toBe("Ends soon");
    expect(statusBadge(aSubscription({ status: "past_due" })).variant).toBe("danger");
  });

  test("a tier has its name from the catalogue, and its own word before that is there", () => {
    expect(planName(plans, "byo")).toBe("Bring your own keys");
    expect(planName(undefined, "team")).toBe("Team");
  });
});

describe("prices", () => {
  test("say how often they are paid", () => {
    expect(priceText(plan("pro"))).toEqual({ amount: "$79", per: "per month" });
    expect(priceText(plan("lifetime"))).toEqual({ amount: "$499", per: "once" });
    expect(priceText(plan("enterprise"))).toEqual({ amount: "Custom", per: "" });
    expect(priceText(plan("free"))).toEqual({ amount: "$0", per: "" });
  });

  test("while a change waits, the current plan still costs what it costs", () => {
    const waiting = aSubscription({ tier: "pro", pending_tier: "starter", price: 29 });
    expect(currentPrice(waiting, plans).price).toBe(79);
    expect(currentPrice(aSubscription({ price: 50 }), plans).price).toBe(50);
    expect(currentPrice(waiting, undefined)).toEqual({ price: 29, interval: "month" });
  });
});

describe("a plan, seen from the current one", () => {
  test.each([
    ["pro", "current"],
    ["team", "upgrade"],
    ["starter", "downgrade"],
    ["free", "downgrade"],
    ["enterprise", "contact"],
    ["lifetime", "lifetime"],
  ])("%s is %s", (tier, choice) => {
    expect(planChoice(plan(tier), aSubscription(), plans)).toBe(choice);
  });

  test("can be started again while it is paused", () => {
    expect(planChoice(plan("pro"), aSubscription({ status: "paused" }), plans)).toBe("again");
  });

  test("can be gone back to while a change waits", () => {
    const waiting = aSubscription({ pending_tier: "free" });
    expect(planChoice(plan("pro"), waiting, plans)).toBe("back");
  });
});

describe("a plan that cannot be changed says why", () => {
  test.each([
    [{ is_lifetime: true, tier: "lifetime", price: 499 }, /nothing to change/],
    [{ tier: "team", price: null }, /set up by us/],
    [{ status: "past_due" }, /Pay what is due/],
  ] as const)("%j", (changes, reason) => {
    expect(whyNoChange(aSubscription(changes))).toMatch(reason);
  });

  test("and one that can be changed does not", () => {
    expect(whyNoChange(aSubscription({ status: "paused" }))).toBeNull();
    expect(whyNoChange(aSubscription())).toBeNull();
    expect(whyNoChange(aSubscription({ tier: "free", price: 0 }))).toBeNull();
    expect(whyNoLifetime(aSubscription({ status: "past_due" }))).toBeNull();
    expect(whyNoLifetime(aSubscription({ tier: "pro", price: null }))).toMatch(/set up by us/);
  });
});

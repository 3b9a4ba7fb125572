import { describe, expect, test } from "vitest";
import {
  changeSentence,
  currentPrice,
  gauge,
  gaugesOf,
  periodLine,
  planChoice,
  planName,
  priceText,
  reachedGauges,
  statusBadge,
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

describe("meters", () => {
  test.each([
    [79, 100, "normal", "21 left"],
    [80, 100, "warning", "20 left"],
    [100, 100, "danger", "Limit reached"],
    [104, 100, "danger", "4 over the limit"],
    [0, 0, "danger", "Limit reached"],
  ])("%d of %d is %s: %s", (used, limit, tone, hint) => {
    expect(gauge("Workflows", used, limit)).toMatchObject({ tone, hint });
  });

  test("say that there is no limit", () => {
    const found = gauge("Agents", 12, -1);
    expect(found).toMatchObject({ text: "12 used", hint: "Unlimited", isUnlimited: true });
  });

  test("keep their unit", () => {
    const [, , storage] = gaugesOf(aSubscription({ storage_used_gb: 12.3456 }));
    expect(storage).toMatchObject({ text: "12.35 GB of 50 GB", hint: "37.65 GB left" });
  });

  test("that are used up are found", () => {
    const full = aSubscription({ workflows_used: 100, agents_used: 5 });
    expect(reachedGauges(full).map((each) => each.label)).toEqual(["Workflows", "Agents"]);
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

  test("can be gone back to while a change waits", () => {
    const waiting = aSubscription({ pending_tier: "free" });
    expect(planChoice(plan("pro"), waiting, plans)).toBe("back");
  });
});

test("a change says what is charged, and when it happens", () => {
  expect(changeSentence(80, null)).toContain("$80.00 is charged now");
  expect(changeSentence(0, "2026-12-03T00:00:00Z")).toContain("takes effect on Dec 3, 2026");
  expect(changeSentence(0, null)).toBe("Nothing is charged today.");
});

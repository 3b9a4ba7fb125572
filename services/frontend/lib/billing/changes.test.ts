import { describe, expect, test } from "vitest";
import { changeLines, changeSentence } from "@/lib/billing/changes";
import { aPreview, aSubscription } from "@/mocks/examples";

const NOW = "2026-11-22T12:00:00Z";
const END = "2026-12-03T00:00:00Z";
const NOTHING = { due_now: 0, proration: 0, unused_time: 0, rest_of_period: 0 };

describe("a change in one sentence", () => {
  test.each([
    [{}, "$80.00 is charged now, and the new limits apply at once."],
    [NOTHING, "Nothing is charged today, and the new limits apply at once."],
    [
      { ...NOTHING, kind: "downgrade", takes_effect_at: END },
      "Nothing is charged today. The change takes effect on Dec 3, 2026.",
    ],
    [{ ...NOTHING, kind: "downgrade", takes_effect_at: null }, "Nothing is charged today."],
    [{ ...NOTHING, kind: "keep" }, "The change that waits is taken back."],
    [{ kind: "checkout" }, "You pay on a page of Stripe's, and come back here."],
  ] as const)("%j is: %s", (changes, sentence) => {
    expect(changeSentence(aPreview(changes))).toBe(sentence);
  });
});

describe("since when the next price is charged", () => {
  const nextOf = (changes: Parameters<typeof aPreview>[0], subscription = aSubscription()) =>
    changeLines(aPreview(changes), subscription).at(-1)?.label;

  test("an upgrade and a plan that is kept change no day", () => {
    expect(nextOf({})).toBe("Each month from Dec 3, 2026");
    expect(nextOf({ ...NOTHING, kind: "keep", takes_effect_at: NOW })).toBe(
      "Each month from Dec 3, 2026",
    );
  });

  test("in a trial it is the end of the trial", () => {
    const trial = aSubscription({ status: "trialing", trial_end: "2026-11-30T00:00:00Z" });
    expect(nextOf({ ...NOTHING, takes_effect_at: NOW }, trial)).toBe(
      "Each month from Nov 30, 2026",
    );
    expect(nextOf({ ...NOTHING, kind: "checkout", takes_effect_at: NOW })).toBe(
      "Each month after the trial",
    );
  });

  test("a downgrade waits for it, and a first plan begins now", () => {
    expect(nextOf({ ...NOTHING, kind: "downgrade", takes_effect_at: END })).toBe(
      "Each month from Dec 3, 2026",
    );
    expect(nextOf({ kind: "checkout" })).toBe("Each month after that");
    expect(changeLines(aPreview(), undefined).at(-1)?.label).toBe("Each month after that");
  });

  test("what is bought once has no next price", () => {
    const lines = changeLines(
      aPreview({ ...NOTHING, kind: "checkout", to_tier: "lifetime", due_now: 499 }),
      aSubscription(),
    );
    expect(lines).toEqual([{ label: "Due today", amount: 499, isTotal: true }]);
  });
});

test("an upgrade says of what its price is the sum", () => {
  expect(changeLines(aPreview(), aSubscription())).toEqual([
    { label: "Credit for unused time", amount: -53.2 },
    { label: "Charge for the rest of this period", amount: 133.2 },
    { label: "Due today", amount: 80, isTotal: true },
    { label: "Each month from Dec 3, 2026", amount: 199 },
  ]);
});

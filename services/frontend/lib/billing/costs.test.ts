import { expect, test } from "vitest";
import {
  barsOf,
  comparison,
  daysIn,
  lastDays,
  momentsOf,
  problemOf,
  rangeBefore,
  readRange,
  spentText,
  unpricedText,
} from "@/lib/billing/costs";
import { aCostSummary, aDailyCost } from "@/mocks/examples";

const TODAY = "2026-03-01";

test("ranges are whole days in UTC, through the end of a month", () => {
  const week = lastDays(7, TODAY);
  expect(week).toEqual({ first: "2026-02-23", last: TODAY });
  expect(daysIn(week)).toBe(7);
  expect(rangeBefore(week)).toEqual({ first: "2026-02-16", last: "2026-02-22" });
  expect(momentsOf(week)).toEqual({ from: "2026-02-23T00:00:00Z", to: "2026-03-02T00:00:00Z" });
});

test("a range is read from an address, and is thirty days when that makes no sense", () => {
  expect(readRange("7", TODAY)).toEqual(lastDays(7, TODAY));
  const chosen = { first: "2026-02-01", last: "2026-02-10" };
  expect(readRange("2026-02-01..2026-02-10", TODAY)).toEqual(chosen);
  for (const text of [null, "", "365", "2026-02-10..2026-02-01", "2026-13-01..2026-13-02"]) {
    expect(readRange(text, TODAY)).toEqual(lastDays(30, TODAY));
  }
});

test("a choice that cannot be shown says why", () => {
  expect(problemOf("2026-02-01", "2026-02-01")).toBeNull();
  expect(problemOf("2026-02-02", "2026-02-01")).toContain("comes after");
  expect(problemOf("2024-01-01", "2026-02-01")).toContain("at most 366 days");
  expect(problemOf("", "2026-02-01")).toBe("Choose two days.");
});

test("each day is a bar, also without costs, and small kinds are drawn as one", () => {
  const costs = [1, 2, 3, 4, 5, 6, 7].map((cost) =>
    aDailyCost({ date: "2026-02-28", model: `model-${cost}`, cost }),
  );
  const bars = barsOf(costs, "model", lastDays(2, TODAY));
  const names = ["model-7", "model-6", "model-5", "model-4", "model-3", "Other"];
  expect(bars.series.map(({ name, cost }) => [name, cost])).toEqual(
    names.map((name, place) => [name, place === 5 ? 3 : 7 - place]),
  );
  expect(bars.days.map(({ date, total }) => [date, total.cost])).toEqual([
    ["2026-02-28", 28],
    [TODAY, 0],
  ]);
  expect(bars.days[0]?.series.map(({ cost }) => cost)).toEqual([7, 6, 5, 4, 3, 3]);
  const [all, ...others] = barsOf(costs, "provider", lastDays(2, TODAY)).series;
  expect(all?.name).toBe("anthropic");
  expect(others).toEqual([]);
});

test("an agent may name its models as it likes", () => {
  const names = ["date", "total", "series", "Other", "__proto__", "another"];
  const costs = names.map((model) => aDailyCost({ date: TODAY, model, cost: 1 }));
  const bars = barsOf(costs, "model", lastDays(1, TODAY));
  expect(bars.series.map(({ name }) => name)).toEqual([...names.slice(0, 5), "Other"]);
  expect(new Set(bars.series.map(({ key }) => key)).size).toBe(6);
  expect(bars.days.map(({ date, total }) => [date, total.cost])).toEqual([[TODAY, 6]]);
});

test("a day tells its calls without a price from those that cost nothing", () => {
  const unpriced = { model: "new", cost: 0, records: 3, unpriced_records: 3 };
  const costs = [
    aDailyCost({ date: TODAY, model: "old", cost: 2, records: 4, unpriced_records: 1 }),
    aDailyCost({ date: TODAY, ...unpriced }),
  ];
  const bars = barsOf(costs, "model", lastDays(1, TODAY));
  expect(bars.days[0]?.total).toEqual({ cost: 2, records: 7, unpriced_records: 4 });
  expect(bars.days[0]?.series.map(spentText)).toEqual([
    { cost: "$2.00", unpriced: "1 call not yet priced" },
    { cost: null, unpriced: "Not yet priced" },
  ]);
});

test("costs are compared with the same number of days before", () => {
  expect(comparison(112, 100, 30)).toBe("12% more than the 30 days before");
  expect(comparison(50, 100, 7)).toBe("50% less than the 7 days before");
  expect(comparison(100, 100, 7)).toBe("as much as the 7 days before");
  expect(comparison(100, 0, 7)).toBeNull();
});

test("calls without a price are told of", () => {
  expect(unpricedText(aCostSummary())).toBeNull();
  expect(unpricedText(aCostSummary({ unpriced_records: 1 }))).toBe("1 call not yet priced");
  expect(unpricedText(aCostSummary({ unpriced_records: 7 }))).toBe("7 calls not yet priced");
});

test("what a model without a price cost is not known, and not nothing", () => {
  const [first] = aCostSummary().breakdown;
  if (!first) throw new Error("the example has a model");
  const model = { ...first, records: 3, unpriced_records: 0, cost: 1.5 };
  expect(spentText(model)).toEqual({ cost: "$1.50", unpriced: null });
  expect(spentText({ ...model, unpriced_records: 2 })).toEqual({
    cost: "$1.50",
    unpriced: "2 calls not yet priced",
  });
  expect(spentText({ ...model, unpriced_records: 3, cost: 0 })).toEqual({
    cost: null,
    unpriced: "Not yet priced",
  });
});

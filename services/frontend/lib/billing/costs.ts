// Ranges of days, and daily costs as bars. Pure; days are UTC, sums of a bar are added here only to
// draw it.
import type {
  CostBreakdownItem,
  CostSummaryResponse,
  DailyCostResponse,
} from "@/lib/billing/types";
import { formatCost } from "@/lib/format";

const DAY_MS = 86_400_000;
/** More kinds than this are drawn as one. */
export const MOST_SERIES = 5;
export const OTHER = "Other";
/** What the API answers at most in one go. */
export const MOST_DAYS = 366;

export type GroupBy = "provider" | "model";

/** Whole UTC days, as YYYY-MM-DD: both ends belong to it. */
export interface DayRange {
  first: string;
  last: string;
}

export function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}

/** Some days later, or earlier. */
export function shiftDay(day: string, days: number): string {
  return dayOf(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS);
}

export function daysIn({ first, last }: DayRange): number {
  return Math.round((Date.parse(last) - Date.parse(first)) / DAY_MS) + 1;
}

/** The days up to today, so many of them. */
export function lastDays(count: number, today: string): DayRange {
  return { first: shiftDay(today, 1 - count), last: today };
}

/** As many days as in a range, right before it. */
export function rangeBefore(range: DayRange): DayRange {
  const count = daysIn(range);
  return { first: shiftDay(range.first, -count), last: shiftDay(range.first, -1) };
}

/** The same as moments, half-open, as the API wants them. */
export function momentsOf({ first, last }: DayRange): { from: string; to: string } {
  return { from: `${first}T00:00:00Z`, to: `${shiftDay(last, 1)}T00:00:00Z` };
}

const WRITTEN = /^(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})$/;

/** A choice as it stands in an address: `7`, `30`, `2026-11-01..2026-11-10`; 30 for anything else. */
export function readRange(text: string | null, today: string): DayRange {
  if (text === "7") return lastDays(7, today);
  const [, first, last] = text?.match(WRITTEN) ?? [];
  return first && last && problemOf(first, last) === null ? { first, last } : lastDays(30, today);
}

/** What is wrong with two days that were chosen; null when nothing is. */
export function problemOf(first: string, last: string): string | null {
  const days = daysIn({ first, last });
  if (Number.isNaN(days)) return "Choose two days.";
  if (days < 1) return "The first day comes after the last one.";
  return days > MOST_DAYS ? `Choose at most ${MOST_DAYS} days.` : null;
}

/** Some calls and what they cost, in dollars; calls without a price add nothing yet. */
export type Spent = Pick<CostBreakdownItem, "cost" | "records" | "unpriced_records">;

/** What is told apart. The key is unlike any other's, whatever agents call their models. */
export interface Series extends Spent {
  key: string;
  name: string;
}

export interface Bars {
  /** The most expensive first, `Other` last, each with its sum. */
  series: Series[];
  /** One a day, with what each series cost on it, in their order; days without costs, too. */
  days: { date: string; total: Spent; series: Series[] }[];
}

/** Daily costs as stacked bars. */
export function barsOf(costs: DailyCostResponse[], by: GroupBy, range: DayRange): Bars {
  const nameOf = (cost: DailyCostResponse) =>
    by === "model" ? (cost.model ?? "–") : cost.provider;
  const sums = new Map<string, Spent>();
  for (const cost of costs) addTo(sumIn(sums, nameOf(cost)), cost);
  const ranked = [...sums].sort(([, a], [, b]) => b.cost - a.cost);
  const shown = ranked.slice(0, MOST_SERIES);
  const series: Series[] = shown.map(([name, spent]) => ({ key: `of ${name}`, name, ...spent }));
  if (ranked.length > shown.length) {
    const other = { key: "others", name: OTHER, ...nothing() };
    for (const [, spent] of ranked.slice(MOST_SERIES)) addTo(other, spent);
    series.push(other);
  }
  const placeOf = new Map(shown.map(([name], place) => [name, place]));
  const days: Bars["days"] = [];
  for (let date = range.first; date <= range.last; date = shiftDay(date, 1)) {
    const without = series.map(({ key, name }) => ({ key, name, ...nothing() }));
    days.push({ date, total: nothing(), series: without });
  }
  const dayAt = new Map(days.map((day) => [day.date, day]));
  for (const cost of costs) {
    const day = dayAt.get(cost.date);
    const found = day?.series[placeOf.get(nameOf(cost)) ?? shown.length];
    if (!day || !found) continue;
    addTo(found, cost);
    addTo(day.total, cost);
  }
  return { series, days };
}

function nothing(): Spent {
  return { cost: 0, records: 0, unpriced_records: 0 };
}

function sumIn(sums: Map<string, Spent>, name: string): Spent {
  const sum = sums.get(name) ?? nothing();
  sums.set(name, sum);
  return sum;
}

function addTo(sum: Spent, more: Spent): void {
  sum.cost += more.cost;
  sum.records += more.records;
  sum.unpriced_records += more.unpriced_records;
}

/** How costs compare with those before: "12% more than the 30 days before". */
export function comparison(now: number, before: number, days: number): string | null {
  if (before === 0) return null;
  const percent = Math.round(((now - before) / before) * 100);
  const than = days === 1 ? "than the day before" : `than the ${days} days before`;
  if (percent === 0) return `as much as ${than.slice(5)}`;
  return `${Math.abs(percent)}% ${percent > 0 ? "more" : "less"} ${than}`;
}

/** Calls whose model has no price yet, in words; null when there are none. */
export function unpricedText({
  unpriced_records: records,
}: Pick<CostSummaryResponse, "unpriced_records">): string | null {
  if (records === 0) return null;
  return records === 1 ? "1 call not yet priced" : `${records} calls not yet priced`;
}

/** What calls cost, and what of it nobody knows yet; null for a cost that says nothing. */
export function spentText(spent: Spent): { cost: string | null; unpriced: string | null } {
  if (spent.records === 0 || spent.unpriced_records < spent.records) {
    return { cost: formatCost(spent.cost), unpriced: unpricedText(spent) };
  }
  return { cost: null, unpriced: "Not yet priced" };
}

// The one place where money, dates and amounts become text. Times are UTC, as billing periods are.

const LOCALE = "en-US";
export const UNLIMITED = -1;

const money = new Intl.NumberFormat(LOCALE, { style: "currency", currency: "USD" });
const wholeMoney = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  maximumFractionDigits: 0,
});
const smallMoney = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumSignificantDigits: 2,
});
const number = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat(LOCALE, {
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});
const moment = new Intl.DateTimeFormat(LOCALE, {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "UTC",
});

/** Dollars: "$1,234.50". */
export function formatMoney(dollars: number): string {
  return money.format(dollars);
}

/** The price of a plan: "$29", or "$29.50" where cents matter. */
export function formatPrice(dollars: number): string {
  return Number.isInteger(dollars) ? wholeMoney.format(dollars) : money.format(dollars);
}

/** What agents cost, where a thousandth of a cent is still something: "$0.00012". */
export function formatCost(dollars: number): string {
  return dollars !== 0 && Math.abs(dollars) < 0.01
    ? smallMoney.format(dollars)
    : money.format(dollars);
}

/** A whole number: "40,216". */
export function formatNumber(value: number): string {
  return number.format(value);
}

/** A large number in few characters: "1.2M". */
export function formatCompact(value: number): string {
  return compact.format(value);
}

/** A limit, where -1 means that there is none. */
export function formatLimit(limit: number): string {
  return limit === UNLIMITED ? "Unlimited" : number.format(limit);
}

/** The day of an ISO time in UTC: "Nov 22, 2026". */
export function formatDate(iso: string | null | undefined): string {
  return iso ? day.format(new Date(iso)) : "–";
}

/** The day of an ISO time without its year: "Nov 22". */
export function formatShortDate(iso: string): string {
  return shortDay.format(new Date(iso));
}

/** An ISO time in UTC: "Nov 22, 2026, 9:05 PM UTC". */
export function formatDateTime(iso: string | null | undefined): string {
  return iso ? `${moment.format(new Date(iso))} UTC` : "–";
}

/** Whole days from now until an ISO time, never negative. */
export function daysUntil(iso: string, now: Date): number {
  return Math.max(0, Math.ceil((Date.parse(iso) - now.getTime()) / 86_400_000));
}

/** "1 workflow", "2 workflows". */
export function plural(count: number, noun: string): string {
  return `${number.format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// Who invoices are made out to, and how far to charge by itself: as shown, typed and sent. Pure.
import { readAmount } from "@/lib/billing/credits";
import type {
  AccountSettingsRequest,
  AddressRequest,
  BillingAccountResponse,
} from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";

/** What the form holds: text as it is typed. */
export interface Details {
  name: string;
  line1: string;
  line2: string;
  city: string;
  state: string;
  postal_code: string;
  country: string;
  tax_id: string;
  billing_email: string;
  isAutomatic: boolean;
  /** Dollars a month; empty means that there is none. */
  limit: string;
}

export type DetailsText = Exclude<keyof Details, "isAutomatic">;

export interface DetailsProblem {
  field: DetailsText;
  text: string;
}

export function detailsOf(account: BillingAccountResponse): Details {
  const { name, tax_id, address } = account.buyer;
  return {
    name: name ?? "",
    line1: address?.line1 ?? "",
    line2: address?.line2 ?? "",
    city: address?.city ?? "",
    state: address?.state ?? "",
    postal_code: address?.postal_code ?? "",
    country: address?.country ?? "",
    tax_id: tax_id ?? "",
    billing_email: account.billing_email ?? "",
    isAutomatic: account.auto_billing_enabled,
    limit: account.auto_billing_monthly_limit?.toString() ?? "",
  };
}

/** The lines of an address in the order in which an invoice prints them. */
export function addressLines(address: BillingAccountResponse["buyer"]["address"]): string[] {
  if (!address) return [];
  const { line1, line2, postal_code, city, state, country } = address;
  const town = [postal_code, city, state].filter(Boolean).join(" ");
  return [line1, line2, town, country].filter((line): line is string => Boolean(line));
}

/** How far it is charged without asking: "$50.00 a month", or that nothing bounds it. */
export function limitText(limit: number | null): string {
  return limit === null ? "None" : `${formatMoney(limit)} a month`;
}

type Address = AddressRequest | null;

/**
 * What was changed, and only that: what another tab or person has changed meanwhile stays. The API
 * takes the buyer as a whole, so what was not touched of it is sent as it is `now`. Or what is
 * wrong, where the server could only name a pattern; all else is the server's to judge.
 */
export function readDetails(
  typed: Details,
  before: Details,
  now: Details = before,
): { changes: AccountSettingsRequest } | { problem: DetailsProblem } {
  const isOther = (...fields: (keyof Details)[]) =>
    fields.some((field) => typed[field] !== before[field]);
  const untouched = (Object.keys(typed) as (keyof Details)[]).filter((field) => !isOther(field));
  const buyer = { ...typed, ...Object.fromEntries(untouched.map((field) => [field, now[field]])) };
  const address = readAddress(buyer);
  if ("problem" in address) return address;
  const limit = readLimit(typed);
  if ("problem" in limit) return limit;

  const changes: AccountSettingsRequest = {};
  if (isOther("name", "tax_id", ...ADDRESS)) {
    changes.buyer = {
      name: orNull(buyer.name),
      tax_id: orNull(buyer.tax_id),
      address: address.address,
    };
  }
  if (isOther("billing_email")) changes.billing_email = orNull(typed.billing_email);
  if (isOther("isAutomatic")) changes.auto_billing_enabled = typed.isAutomatic;
  // Not seen while it is off, so not meant either.
  if (typed.isAutomatic && isOther("limit")) changes.auto_billing_monthly_limit = limit.limit;
  return { changes };
}

const ADDRESS = ["line1", "line2", "city", "state", "postal_code", "country"] as const;

function readAddress(typed: Details): { address: Address } | { problem: DetailsProblem } {
  if (ADDRESS.every((field) => !typed[field].trim())) return { address: null };
  if (!typed.line1.trim()) {
    return { problem: { field: "line1", text: "An address needs its first line." } };
  }
  const country = typed.country.trim().toUpperCase();
  if (!/^[A-Z]{2}$/.test(country)) {
    return { problem: { field: "country", text: "Enter two letters, such as US or DE." } };
  }
  return {
    address: {
      line1: typed.line1.trim(),
      line2: orNull(typed.line2),
      city: orNull(typed.city),
      state: orNull(typed.state),
      postal_code: orNull(typed.postal_code),
      country,
    },
  };
}

function readLimit(typed: Details): { limit: number | null } | { problem: DetailsProblem } {
  if (!typed.isAutomatic || !typed.limit.trim()) return { limit: null };
  const read = readAmount(typed.limit);
  return "problem" in read
    ? { problem: { field: "limit", text: read.problem } }
    : { limit: read.amount };
}

function orNull(text: string): string | null {
  return text.trim() || null;
}

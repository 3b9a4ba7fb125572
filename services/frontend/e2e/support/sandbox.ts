// What Stripe's sandbox knows: what was really charged.
import { type APIRequestContext, expect } from "@playwright/test";
import type { Organization } from "./organization";
import { readKey } from "./place";

/** What an organization's cards were charged in the end, in cents, less what was given back. */
export async function chargedTo(
  http: APIRequestContext,
  organization: Organization,
): Promise<number> {
  const { stripe_js_url } = await (await http.get("/api/billing/config")).json();
  const { stripe_customer_id } = await organization.get();
  const answer = await http.get(
    `${new URL(stripe_js_url).origin}/sandbox/ledger?customer=${stripe_customer_id}`,
    { headers: { Authorization: `Bearer ${readKey("stripe_secret_key")}` } },
  );
  expect(answer.ok(), await answer.text()).toBe(true);
  return (await answer.json()).net;
}

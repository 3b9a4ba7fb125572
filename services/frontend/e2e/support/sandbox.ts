// What Stripe's sandbox knows, and what it is told to do: what was really charged, what banks do.
import { type APIRequestContext, expect } from "@playwright/test";
import type { Organization } from "./organization";
import { readKey } from "./place";

/** What an organization's cards were charged in the end, in cents, less what was given back. */
export async function chargedTo(
  http: APIRequestContext,
  organization: Organization,
): Promise<number> {
  const { stripe_customer_id } = await organization.get();
  return (await ask(http, "GET", `/sandbox/ledger?customer=${stripe_customer_id}`)).net;
}

/** Ends a hosted page on which nobody has paid. */
export async function expire(http: APIRequestContext, sessionId: string): Promise<void> {
  await ask(http, "POST", `/v1/checkout/sessions/${sessionId}/expire`);
}

/** Has a bank take back what was paid on a hosted page. */
export async function dispute(http: APIRequestContext, sessionId: string): Promise<void> {
  const { payment_intent } = await ask(http, "GET", `/v1/checkout/sessions/${sessionId}`);
  await ask(http, "POST", "/sandbox/disputes", { payment_intent });
}

async function ask(
  http: APIRequestContext,
  method: "GET" | "POST",
  path: string,
  form: Record<string, string> = {},
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by who asks
): Promise<any> {
  const { stripe_js_url } = await (await http.get("/api/billing/config")).json();
  const answer = await http.fetch(new URL(path, stripe_js_url).href, {
    method,
    headers: { Authorization: `Bearer ${readKey("stripe_secret_key")}` },
    ...(method === "POST" && { form }),
  });
  expect(answer.ok(), await answer.text()).toBe(true);
  return answer.json();
}

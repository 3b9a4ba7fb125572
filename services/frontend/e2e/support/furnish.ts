// An organization that has everything that its page can show.
import type { Organization } from "./organization";
import { Agent } from "./place";

const BUYER = {
  name: "Acme Robotics GmbH",
  address: { line1: "Torstraße 1", city: "Berlin", postal_code: "10119", country: "DE" },
  tax_id: "DE123456789",
};
const MODELS = [
  ["anthropic", "claude-sonnet-4-5"],
  ["openai", "gpt-5"],
  ["google", "gemini-2.5-pro"],
] as const;

/** Card, plan, credits, usage, an invoice that is open and one that is paid, a buyer, costs. */
export async function furnish(organization: Organization): Promise<void> {
  const costs = spend(organization);
  await organization.saveCard("pm_card_mastercard");
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await organization.post("/invoices/generate");
  await organization.subscribe("pro");
  await organization.buy("/credits/checkout", { amount_usd: 40 });
  await organization.patch({ billing_email: "billing@acme.example", buyer: BUYER });
  await organization.post("/agents", { agents_in_use: 5 });
  await organization.post("/storage", { storage_bytes: 21 * 1024 ** 3 });
  await organization.until("/invoices?status=paid", (found) => found.length === 2);
  await costs;
}

/** Costs of several days, models and providers, and of a model that has no price. */
export async function spend(organization: Organization, days = 12): Promise<void> {
  const agent = await Agent.of(organization.id);
  for (let daysAgo = days - 1; daysAgo >= 0; daysAgo--) {
    for (const [place, [provider, model]] of MODELS.entries()) {
      await agent.calls(provider, model, { daysAgo, times: 1 + ((daysAgo + place) % 4) });
    }
  }
  await agent.calls("acme-labs", "a-model-with-a-long-name-that-nobody-has-priced-2026-11-28");
  await organization.until("/costs/summary", (found) => found.unpriced_records === 1);
  agent.stop();
}

// One organization, through the API as its host would use it.
import { randomUUID } from "node:crypto";
import { type APIRequestContext, expect } from "@playwright/test";
import { mintToken } from "./place";

/** The sandbox's cards by what the API of Stripe calls them. */
export type TestCard =
  | "pm_card_visa"
  | "pm_card_mastercard"
  | "pm_card_chargeCustomerFail"
  | "pm_card_authenticationRequired";

/** With what it is paid on a hosted page, and what comes of that. */
interface Buying {
  card: "visa" | "usBankAccount_insufficientFunds";
  ends: "complete" | "failed";
}

export class Organization {
  readonly id = `e2e-${randomUUID().slice(0, 13)}`;
  readonly token = mintToken({ [this.id]: "owner" });

  constructor(private readonly http: APIRequestContext) {}

  get address(): string {
    return `/api/billing/account/${this.id}`;
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that asks
  async get(path = ""): Promise<any> {
    const answer = await this.http.get(`${this.address}${path}`, this.options());
    expect(answer.ok(), `GET ${path}: ${await answer.text()}`).toBe(true);
    return answer.json();
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that asks
  async post(path: string, data: unknown = {}): Promise<any> {
    // Not yet known, or not yet there: a moment later it may be otherwise.
    for (let attempt = 0; ; attempt++) {
      const answer = await this.http.post(`${this.address}${path}`, { ...this.options(), data });
      if (answer.ok()) return answer.json();
      if (![402, 409, 429, 503, 504].includes(answer.status()) || attempt > 40) {
        throw new Error(`POST ${path}: ${await answer.text()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  async saveCard(card: TestCard): Promise<void> {
    await this.get();
    await this.post("/payment-method", { payment_method_id: card });
  }

  /** Buy on a hosted page as its form does, and wait until it is known; returns the session's id. */
  async buy(
    path: string,
    order: unknown,
    { card, ends }: Buying = { card: "visa", ends: "complete" },
  ): Promise<string> {
    const { checkout_url, session_id } = await this.post(path, order);
    const paid = await this.http.post(checkout_url, {
      form: { card, email: "buyer@example.com", name: "A. Buyer" },
      maxRedirects: 0,
    });
    expect(paid.status()).toBeLessThan(400);
    await this.until(`/checkout/${session_id}`, (state) => state.status === ends);
    return session_id;
  }

  async subscribe(tier: string): Promise<void> {
    await this.get();
    await this.buy("/subscription/checkout", { tier });
    await this.until("/subscription", (found) => found.tier === tier);
  }

  /** Run workflows one after the other; what covers them is the server's to say. */
  async run(workflows: number): Promise<void> {
    for (let number = 0; number < workflows; number++) {
      const reserved = await this.post("/workflows/reserve", { workflow_id: randomUUID() });
      await this.post(`/workflows/${reserved.id}/complete`);
    }
  }

  /** Use up what is free and run some beyond it on the card, so that there is something to bill. */
  async runBeyond(workflows: number): Promise<void> {
    await this.patch({ auto_billing_enabled: true });
    const { free_workflows_remaining } = await this.get("/usage-summary");
    await this.run(free_workflows_remaining + workflows);
    await this.patch({ auto_billing_enabled: false });
    await this.until("/usage?billed=false", (found) => found.length === workflows);
  }

  async put(path: string, data: unknown): Promise<void> {
    const answer = await this.http.put(`${this.address}${path}`, { ...this.options(), data });
    expect(answer.ok(), await answer.text()).toBe(true);
  }

  async patch(data: unknown): Promise<void> {
    const answer = await this.http.patch(this.address, { ...this.options(), data });
    expect(answer.ok(), await answer.text()).toBe(true);
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at by the test that asks
  async until(path: string, satisfied: (found: any) => boolean): Promise<void> {
    await expect.poll(async () => satisfied(await this.get(path)), { timeout: 60_000 }).toBe(true);
  }

  private options() {
    // A connection that nobody used for five seconds may be closed as it is used again: like a
    // browser, ask on another one. All that is asked here may be asked twice.
    return { headers: { Authorization: `Bearer ${this.token}` }, maxRetries: 2 };
  }
}

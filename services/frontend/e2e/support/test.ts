// What every test in a browser has: an organization of its own, a signed-in page, and a page that
// may neither complain nor call anyone off this machine.
import { test as base, expect, type Page } from "@playwright/test";
import type { Role } from "@/lib/billing/types";
import { Organization } from "./organization";
import { mintToken } from "./place";

export { expect } from "@playwright/test";

interface Given {
  organization: Organization;
  /** Signs in and opens the billing page of the organization. */
  openBilling: (role?: Role) => Promise<void>;
  /** What a page said that it should not; tests of failures expect some of it. */
  complaints: string[];
}

export const test = base.extend<Given>({
  organization: async ({ playwright, baseURL }, use) => {
    const http = await playwright.request.newContext({ baseURL });
    await use(new Organization(http));
    await http.dispose();
  },

  openBilling: async ({ page, organization }, use) => {
    await use(async (role = "owner") => {
      const token = mintToken({ [organization.id]: role });
      await signIn(page, token);
      await page.goto("/settings/billing/");
      await expect(page.getByRole("heading", { name: "Billing", level: 1 })).toBeVisible();
    });
  },

  complaints: [
    async ({ page, baseURL }, use) => {
      const found: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") found.push(message.text());
      });
      page.on("pageerror", (error) => found.push(String(error)));
      page.on("request", (request) => {
        const { hostname, protocol } = new URL(request.url());
        const isHere = ["127.0.0.1", "localhost"].includes(hostname);
        if (protocol.startsWith("http") && !isHere) found.push(`asked ${request.url()}`);
      });
      await use(found);
      // An answer that is no success is told by the browser as well; the page says it in words.
      const isAnswer = (text: string) => text.startsWith("Failed to load resource:");
      expect(
        found.filter((text) => !isAnswer(text)),
        `on ${baseURL}`,
      ).toEqual([]);
    },
    { auto: true },
  ],
});

/** Exchanges a token for the session's cookie, as the sign-in form does. */
export async function signIn(page: Page, token: string): Promise<void> {
  const answer = await page.request.post("/api/billing/session", {
    headers: { Authorization: `Bearer ${token}` },
  });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** A part of the page, by its heading. */
export function section(page: Page, title: string) {
  return page.getByRole("region", { name: title, exact: true });
}

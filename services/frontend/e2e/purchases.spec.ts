import type { Page } from "@playwright/test";
import { expect, section, test } from "./support/test";

/** Pays on the hosted page with the card that is chosen there. */
async function payThere(page: Page, card?: string) {
  await page.getByLabel("Email").fill("buyer@example.com");
  if (card) await page.getByLabel(card).check();
  await page.locator('button[type="submit"]').click();
}

test("credits are bought on the hosted page, and the balance shows them", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Buy credits" }).click();
  await page.getByLabel("Amount in dollars").fill("19.99");
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await payThere(page);
  await page.waitForURL(/\/billing\/success/);
  await expect(page.getByText("$19.99").first()).toBeVisible();
  await page
    .getByRole("link", { name: /billing/i })
    .first()
    .click();
  await expect(page.getByTestId("credit-balance")).toHaveText("$19.99");
  expect((await organization.get()).credit_balance).toBe(19.99);
});

test("an amount beyond the bounds is refused with the server's words", async ({
  page,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Buy credits" }).click();
  await page.getByLabel("Amount in dollars").fill("1000.01");
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("$1,000.00");
});

test("a checkout that is left leads to the cancel page, and nothing is charged", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Buy credits" }).click();
  await page.getByRole("button", { name: "$50", exact: true }).click();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page
    .getByRole("link", { name: /back|cancel|return/i })
    .first()
    .click();
  await page.waitForURL(/\/billing\/cancel/);
  await expect(page.getByText(/nothing was charged/i)).toBeVisible();
  expect((await organization.get()).credit_balance).toBe(0);
});

test("the success page does not believe its address", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const { session_id } = await organization.post("/credits/checkout", { amount_usd: 30 });
  await page.goto(`/billing/success?org=${organization.id}&session_id=${session_id}`);
  await page.waitForTimeout(2_000);
  await expect(page.getByText(/thank you|payment received|are yours/i)).toHaveCount(0);
  await page.goto(`/billing/success?org=${organization.id}&session_id=cs_test_made_up`);
  await expect(page.getByRole("main")).toContainText(/not|no such|cannot/i);
});

test("the lifetime plan is bought once, and cannot be bought again", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Get lifetime" }).click();
  await payThere(page);
  await page.waitForURL(/\/billing\/success/);
  await organization.until("/subscription", (found) => found.is_lifetime === true);
  await page.goto("/settings/billing/");
  await expect(page.getByTestId("tier")).toHaveText("Lifetime");
  await expect(page.getByText("Lifetime is yours")).toBeVisible();
  await expect(page.getByRole("button", { name: "Get lifetime" })).toHaveCount(0);
});

test("a first plan is bought on the hosted page after a preview", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(page.getByRole("dialog")).toContainText("$79.00");
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await payThere(page);
  await page.waitForURL(/\/billing\/success/);
  await organization.until("/subscription", (found) => found.tier === "pro");
  await page.goto("/settings/billing/");
  await expect(page.getByTestId("usage-workflows")).toContainText("0 of 100");
});

test("a declined card on the hosted page buys nothing", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Buy credits" }).click();
  await page.getByRole("button", { name: "$25", exact: true }).click();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await page.getByLabel("Email").fill("buyer@example.com");
  await page
    .getByText(/declined/i)
    .first()
    .click();
  await page.locator('button[type="submit"]').click();
  await expect(page.getByText(/declined/i).first()).toBeVisible();
  expect((await organization.get()).credit_balance).toBe(0);
});

test("what credits did stands in their recent activity", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  await organization.buy("/credits/checkout", { amount_usd: 40 });
  await organization.until("", (account) => account.credit_balance === 40);
  await openBilling();
  await expect(section(page, "Credits").getByRole("list")).toContainText("+$40.00");
});

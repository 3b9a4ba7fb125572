import type { Page } from "@playwright/test";
import { furnish } from "./support/furnish";
import { expectAccessible } from "./support/looks";
import { mintToken } from "./support/place";
import { dispute, expire } from "./support/sandbox";
import { expect, section, signIn, test } from "./support/test";

// Injected as text, which the page's own policy would refuse: the browser is told not to ask it.
test.use({ bypassCSP: true });
test.describe.configure({ timeout: 300_000 });

/** A bank debit, which takes a moment to fail. */
const FAILS_LATER = { card: "usBankAccount_insufficientFunds", ends: "failed" } as const;

test("the page of an organization that has everything has no accessibility violation", async ({
  page,
  organization,
  openBilling,
}) => {
  await furnish(organization);
  await openBilling();
  const costs = section(page, "Costs");
  await expect(costs.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expect(section(page, "Invoices").getByRole("row")).toHaveCount(4);
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await expectAccessible(page, "the page");
  await costs.getByRole("button", { name: "Show as table" }).click();
  await costs.getByRole("button", { name: "Range" }).click();
  await costs.getByLabel("First day").fill("2026-01-01");
  await costs.getByLabel("Last day").fill("2025-12-31");
  await expect(costs.getByRole("alert")).toBeVisible();
  await expectAccessible(page, "the costs as a table, and a range that is none");
});

/** What opens each dialog, its name, and what stands in it once it is there. */
const DIALOGS = [
  ["Buy credits", "Buy credits", "Amount in dollars"],
  ["Add card", "Add a card", "The number goes to Stripe only"],
  ["Edit billing details", "Edit billing details", "Billing email"],
  ["Next invoice", "Next invoice", "Nothing to bill"],
  ["Upgrade to Team", "Upgrade to Team?", "Due today"],
  ["Cancel plan", "Cancel the Pro plan?", "Keep"],
  [/^Pay INV-/, /^Pay \$/, "Pay with"],
  [/^INV-/, /^INV-/, "Download PDF"],
  [/^Remove Visa/, /^Remove Visa/, "Keep card"],
] as const;

async function openDialog(page: Page, button: string | RegExp, name: string | RegExp) {
  await page.getByRole("button", { name: button, exact: true }).first().click();
  const dialog = page.getByRole("dialog", { name }).or(page.getByRole("alertdialog", { name }));
  await expect(dialog).toBeVisible();
  return dialog;
}

test("no dialog has an accessibility violation", async ({ page, organization, openBilling }) => {
  await furnish(organization);
  await openBilling();
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  for (const [button, name, text] of DIALOGS) {
    const dialog = await openDialog(page, button, name);
    await expect(dialog.getByText(text).first()).toBeVisible();
    await expect(dialog.locator('[data-slot="skeleton"]')).toHaveCount(0);
    await expectAccessible(page, String(name), "[role=dialog], [role=alertdialog]");
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
  }
});

test("what refuses something has no accessibility violation", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await organization.post("/invoices/generate");
  await organization.saveCard("pm_card_chargeCustomerFail");
  await openBilling();
  const pay = await openDialog(page, /^Pay INV-/, /^Pay \$/);
  await pay.getByRole("button", { name: /^Pay/ }).click();
  await expect(pay.getByRole("alert")).toBeVisible();
  await expectAccessible(page, "a card that is declined");
  await page.keyboard.press("Escape");
  const buy = await openDialog(page, "Buy credits", "Buy credits");
  await buy.getByLabel("Amount in dollars").fill("1000000");
  await buy.getByRole("button", { name: "Continue to payment" }).click();
  await expect(buy.getByRole("alert")).toBeVisible();
  await expectAccessible(page, "an amount that is too much");
  const { client_secret } = await organization.post("/setup-intent");
  await page.goto(`/settings/billing/?setup_intent_client_secret=${client_secret}`);
  await expect(section(page, "Payment methods")).toContainText("Your card is not saved");
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  await expectAccessible(page, "a card that the bank did not confirm");
  await signIn(page, mintToken({ [organization.id]: "viewer" }));
  await page.reload();
  await page.getByRole("button", { name: "Buy credits" }).focus();
  await expect(page.getByRole("tooltip")).toBeVisible();
  await expectAccessible(page, "a viewer's page, with the reason why a button is off");
});

test("sign-in, no organization, and what is not there have no accessibility violation", async ({
  page,
}) => {
  await page.goto("/settings/billing/");
  await expect(page.getByLabel("Access token")).toBeVisible();
  await expectAccessible(page, "sign-in");
  await page.getByLabel("Access token").fill("not a token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page, "sign-in that is refused");
  await signIn(page, mintToken({}));
  await page.reload();
  await expect(page.getByText("No organization", { exact: true })).toBeVisible();
  await expectAccessible(page, "no organization");
  await page.goto("/billing/no-such-page");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expectAccessible(page, "a page that is not there");
});

test("the pages after a payment have no accessibility violation, whatever came of it", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  const open = await organization.post("/credits/checkout", { amount_usd: 30 });
  const bought = await organization.buy("/credits/checkout", { amount_usd: 40 });
  const plan = await organization.buy("/subscription/checkout", { tier: "pro" });
  const left = await organization.post("/credits/checkout", { amount_usd: 35 });
  await expire(page.request, left.session_id);
  await organization.until(`/checkout/${left.session_id}`, (found) => found.status === "expired");
  const failed = await organization.buy("/credits/checkout", { amount_usd: 20 }, FAILS_LATER);
  await openBilling();
  for (const [address, heading] of [
    ["success", "We do not know this purchase"],
    ["success?session_id=cs_test_made_up", "We do not know this purchase"],
    [`success?session_id=${open.session_id}`, "Confirming your payment"],
    [`success?session_id=${bought}`, "Payment received"],
    [`success?session_id=${plan}`, "Payment received"],
    [`success?session_id=${left.session_id}`, "The payment did not go through"],
    [`success?session_id=${failed}`, "The payment did not go through"],
    ["cancel", /./],
  ] as const) {
    await page.goto(`/billing/${address}`);
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expectAccessible(page, address);
  }
});

test("credits that are owed have no accessibility violation", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  const bought = await organization.buy("/credits/checkout", { amount_usd: 20 });
  const { free_workflows_remaining } = await organization.get("/usage-summary");
  await organization.run(free_workflows_remaining + 2);
  await organization.until("/usage?billed=false", (found) => found.length === 2);
  await organization.post("/invoices/generate");
  await organization.until("", (account) => account.credit_balance === 0);
  await dispute(page.request, bought);
  await organization.until("", (account) => account.credit_debt === 20);
  await openBilling();
  await expect(page.getByText("$20.00 of credits are owed")).toBeVisible();
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  await expectAccessible(page, "credits that are owed");
});

test("a session that has ended has no accessibility violation", async ({
  page,
  context,
  openBilling,
}) => {
  await openBilling();
  await page.getByRole("button", { name: "Buy credits" }).click();
  await context.clearCookies();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await expect(page.getByRole("alertdialog", { name: "Your session has ended" })).toBeVisible();
  await expectAccessible(page, "a session that has ended", "[role=alertdialog]");
});

test("sections that have failed have no accessibility violation", async ({ page, openBilling }) => {
  const away = { detail: "This cannot be read right now.", status_code: 503, code: "away" };
  await page.route(/\/api\/billing\/(account|plans)/, (route) =>
    route.fulfill({ status: 503, json: away }),
  );
  await openBilling();
  await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(10);
  await expectAccessible(page, "all sections failed");
  await page.route("**/api/billing/session", (route) => route.fulfill({ status: 503, json: away }));
  await page.reload();
  await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(1);
  await expectAccessible(page, "a session that cannot be read");
});

test("a dialog is opened, used and left by the keyboard alone", async ({ page, openBilling }) => {
  await openBilling();
  const buy = page.getByRole("button", { name: "Buy credits" });
  await buy.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Buy credits" })).toBeVisible();
  const isInside = () =>
    page.evaluate(() => Boolean(document.activeElement?.closest('[role="dialog"]')));
  // Focus moves into a dialog, and around at its ends, with the next frame.
  await expect.poll(isInside).toBe(true);
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press("Tab");
    await expect.poll(isInside).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(buy).toBeFocused();
});

test("the dark theme is chosen by hand, and stays", async ({ page, openBilling }) => {
  await openBilling();
  const dark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
  const toggle = page.getByRole("button", { name: /theme/i });
  for (let clicks = 0; clicks < 3 && !(await dark()); clicks++) await toggle.click();
  expect(await dark()).toBe(true);
  await page.reload();
  await expect(page.getByTestId("tier")).toBeVisible();
  expect(await dark()).toBe(true);
});

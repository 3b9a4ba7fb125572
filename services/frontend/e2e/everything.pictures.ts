// Pictures of every page and dialog, light and dark, on a desktop and on a phone, to be looked at.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { furnish } from "./support/furnish";
import { settled } from "./support/looks";
import type { Organization } from "./support/organization";
import { mintToken, runModule, travelTo } from "./support/place";
import { expect, section, signIn, test } from "./support/test";

const FOLDER = resolve(process.env.PICTURES ?? "../../var/pictures");
const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) =>
  [1280, 390].map((width) => ({ colorScheme, width })),
);

mkdirSync(FOLDER, { recursive: true });
// One after the other: the last one moves the time.
test.describe.configure({ mode: "default", timeout: 600_000 });

/** One file for each look, of all of the page or of what can be seen once `from` is at the top. */
async function take(page: Page, name: string, fullPage = false, from?: Locator): Promise<void> {
  for (const { colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
    await from?.evaluate((each) => each.scrollIntoView({ behavior: "instant" }));
    await settled(page);
    const path = join(FOLDER, `${name}-${width}-${colorScheme}.png`);
    await page.screenshot({ path, fullPage });
  }
}

const DIALOGS = [
  ["buy-credits", "Buy credits", "Buy credits"],
  ["add-card", "Add card", "Add a card"],
  ["billing-details", "Edit billing details", "Edit billing details"],
  ["next-invoice", "Next invoice", "Next invoice"],
  ["upgrade", "Upgrade to Team", "Upgrade to Team?"],
  ["downgrade", "Switch to Starter", "Downgrade to Starter?"],
  ["cancel", "Cancel plan", "Cancel the Pro plan?"],
  ["pay-invoice", /^Pay INV-/, /^Pay \$/],
  ["invoice", /^INV-/, /^INV-/],
  ["remove-card", /^Remove Visa/, /^Remove Visa/],
] as const;

test("the billing page and its dialogs", async ({ page, organization, openBilling }) => {
  await furnish(organization);
  await openBilling();
  const costs = section(page, "Costs");
  await expect(costs.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  await take(page, "page", true);
  await costs.getByRole("button", { name: "Show as table" }).click();
  await costs.getByRole("button", { name: "Range" }).click();
  await take(page, "costs-table", false, costs);
  for (const [file, button, name] of DIALOGS) {
    await page.getByRole("button", { name: button, exact: true }).first().click();
    const dialog = page.getByRole("dialog", { name }).or(page.getByRole("alertdialog", { name }));
    await expect(dialog).toBeVisible();
    await expect(dialog.locator('[data-slot="skeleton"]')).toHaveCount(0);
    await take(page, `dialog-${file}`);
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
  }
});

test("a new organization, and one who may only look", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling("viewer");
  await expect(section(page, "Usage records")).toContainText("No usage yet");
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  await take(page, "new-organization", true);
  await signIn(page, mintToken({ [organization.id]: "owner" }));
  await page.reload();
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(page.getByRole("dialog")).toContainText("Due today");
  await take(page, "dialog-first-plan");
});

test("what stands around the billing page", async ({ page, organization, openBilling }) => {
  await page.goto("/settings/billing/");
  await expect(page.getByLabel("Access token")).toBeVisible();
  await take(page, "sign-in");
  await signIn(page, mintToken({}));
  await page.reload();
  await expect(page.getByText("No organization", { exact: true })).toBeVisible();
  await take(page, "no-organization");
  await openBilling();
  await takeOutcomes(page, organization);
  await page.goto("/billing/no-such-page");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await take(page, "not-found");
  await page.goto("/settings/billing/");
  await page.getByRole("button", { name: "Buy credits" }).click();
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Continue to payment" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await take(page, "session-ended");
});

async function takeOutcomes(page: Page, organization: Organization): Promise<void> {
  const open = await organization.post("/credits/checkout", { amount_usd: 30 });
  const bought = await organization.buy("/credits/checkout", { amount_usd: 40 });
  for (const [file, address, heading] of [
    ["unknown", "success", "We do not know this purchase"],
    ["waiting", `success?session_id=${open.session_id}`, "Confirming your payment"],
    ["done", `success?session_id=${bought}`, "Payment received"],
    ["canceled", "cancel", /./],
  ] as const) {
    await page.goto(`/billing/${address}`);
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await take(page, `outcome-${file}`);
  }
}

test("what has failed, and what is loading", async ({ page, openBilling }) => {
  const away = { detail: "This cannot be read right now.", status_code: 503, code: "away" };
  let waits: Promise<void> | null = new Promise(() => undefined);
  await page.route(/\/api\/billing\/(account|plans)/, async (route) => {
    await waits;
    await route.fulfill({ status: 503, json: away });
  });
  await openBilling();
  await expect(page.locator('[data-slot="skeleton"]').first()).toBeVisible();
  await expect(section(page, "Compare plans")).toBeVisible();
  await take(page, "loading", true);
  waits = null;
  await page.reload();
  await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(10);
  await take(page, "failed", true);
});

test("the two of the README, which stand in docs", async ({ page }) => {
  runModule("deploy.demo", "--calls", "600", "--speed", "100000");
  await signIn(page, mintToken({ acme: "owner" }));
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.goto("/settings/billing/");
  const costs = section(page, "Costs");
  await expect(costs.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await settled(page);
  await page.screenshot({ path: join(FOLDER, "page-light.jpg"), quality: 75 });
  await page.emulateMedia({ colorScheme: "dark" });
  await costs.evaluate((each) => each.scrollIntoView());
  await settled(page);
  await page.screenshot({ path: join(FOLDER, "page-dark.jpg"), quality: 75 });
});

test("past due, and suspended", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await organization.saveCard("pm_card_chargeCustomerFail");
  const { current_period_end } = await organization.get("/subscription");
  for (const [file, days, text] of [
    ["past-due", 0.2, "Everything goes on until"],
    ["suspended", 8, "This account is suspended"],
  ] as const) {
    travelTo(new Date(new Date(current_period_end).getTime() + days * 86_400_000));
    await openBilling();
    await expect(page.getByText(text)).toBeVisible();
    await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
    await take(page, file);
  }
});

import type { Page } from "@playwright/test";
import type { Organization } from "./support/organization";
import { chargedTo } from "./support/sandbox";
import { expect, section, test } from "./support/test";

/** The same page in a second tab of the same browser. */
async function openAnother(page: Page): Promise<Page> {
  const other = await page.context().newPage();
  await other.goto("/settings/billing/");
  await expect(other.getByTestId("tier")).toBeVisible();
  return other;
}

test("a second tab shows what the first one changed", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await openBilling();
  const other = await openAnother(page);
  await expect(other.getByTestId("tier")).toHaveText("Pro");
  await page.getByRole("button", { name: "Upgrade to Team" }).click();
  await page.getByRole("button", { name: /and upgrade$/ }).click();
  await expect(page.getByTestId("tier")).toHaveText("Team");
  await expect(other.getByTestId("tier")).toHaveText("Team");
});

/** An invoice of $20.00, and two tabs that are about to pay it. */
async function openToPay(
  page: Page,
  organization: Organization,
  openBilling: () => Promise<void>,
): Promise<[Page, Page]> {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await organization.post("/invoices/generate");
  await openBilling();
  const tabs: [Page, Page] = [page, await openAnother(page)];
  for (const tab of tabs) {
    await tab.getByRole("button", { name: /^Pay INV-/ }).click();
    await expect(payButton(tab)).toBeVisible();
  }
  return tabs;
}

function payButton(tab: Page) {
  return tab.getByRole("dialog").getByRole("button", { name: "Pay $20.00" });
}

function paidCell(tab: Page) {
  return section(tab, "Invoices").getByRole("cell", { name: /^Paid/ });
}

/** Leaves a dialog that says that another tab has paid. */
async function leavePaid(tab: Page): Promise<void> {
  const dialog = tab.getByRole("dialog", { name: "Nothing to pay" });
  await expect(dialog.getByRole("alert")).toHaveText("This invoice is paid already.");
  await dialog.getByRole("button", { name: "Done" }).click();
}

test("two tabs that pay the same invoice at once charge it once", async ({
  page,
  organization,
  openBilling,
}) => {
  const tabs = await openToPay(page, organization, openBilling);
  await Promise.all(tabs.map((tab) => payButton(tab).dispatchEvent("click")));
  await organization.until("/invoices?status=paid", (found) => found.length === 1);
  for (const tab of tabs) {
    // Who comes while it is being paid joins in; who comes later still has the dialog in front.
    const isOver = tab.getByRole("dialog", { name: "Nothing to pay" });
    await expect(isOver.or(paidCell(tab)).first()).toBeVisible();
    if (await isOver.isVisible()) await leavePaid(tab);
    await expect(paidCell(tab)).toBeVisible();
  }
  expect(await chargedTo(page.request, organization)).toBe(2000);
});

test("a tab that was about to pay is told that another one has paid, and offers it no more", async ({
  page,
  organization,
  openBilling,
}) => {
  const [first, second] = await openToPay(page, organization, openBilling);
  await payButton(first).click();
  await expect(paidCell(first)).toBeVisible();
  await leavePaid(second);
  await expect(paidCell(second)).toBeVisible();
  expect(await chargedTo(page.request, organization)).toBe(2000);
});

test("two tabs that upgrade at once pay for one upgrade", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("starter");
  await openBilling();
  const tabs = [page, await openAnother(page)];
  for (const tab of tabs) await tab.getByRole("button", { name: "Upgrade to Pro" }).click();
  const pay = (tab: Page) => tab.getByRole("button", { name: /^Pay \$[\d.]+ and upgrade$/ });
  const due = Number((await pay(page).textContent())?.match(/[\d.]+/)?.[0]);
  await expect(pay(tabs[1] ?? page)).toBeVisible();
  const before = await chargedTo(page.request, organization);
  await Promise.all(tabs.map((tab) => pay(tab).click()));
  for (const tab of tabs) await expect(tab.getByTestId("tier")).toHaveText("Pro");
  await organization.until("/subscription", (found) => found.tier === "pro");
  await expect
    .poll(async () => (await chargedTo(page.request, organization)) - before)
    .toBe(Math.round(100 * due));
});

test("two tabs that buy lifetime end with one that is paid for", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const tabs = [page, await openAnother(page)];
  await Promise.all(tabs.map((tab) => tab.getByRole("button", { name: "Get lifetime" }).click()));
  for (const tab of tabs) await tab.getByLabel("Email").fill("buyer@example.com");
  await Promise.all(tabs.map((tab) => tab.locator('button[type="submit"]').click()));
  await organization.until("/subscription", (found) => found.is_lifetime === true);
  await expect.poll(() => chargedTo(page.request, organization)).toBe(49900);
  for (const tab of tabs) {
    await tab.goto("/settings/billing/");
    await expect(tab.getByText("Lifetime is yours")).toBeVisible();
  }
});

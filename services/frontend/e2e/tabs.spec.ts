import type { Page } from "@playwright/test";
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

test("two tabs that pay the same invoice at once charge it once", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await organization.post("/invoices/generate");
  await openBilling();
  const tabs = [page, await openAnother(page)];
  for (const tab of tabs) await tab.getByRole("button", { name: /^Pay INV-/ }).click();
  await Promise.all(
    tabs.map((tab) => tab.getByRole("dialog").getByRole("button", { name: "Pay $20.00" }).click()),
  );
  // It is paid, or else the tab says why it has not been paid there.
  const said = (tab: Page) =>
    tab.getByText("The invoice is paid.").or(tab.getByRole("dialog").getByRole("alert"));
  await Promise.all(tabs.map((tab) => expect(said(tab).first()).toBeVisible()));
  await organization.until("/invoices?status=paid", (found) => found.length === 1);
  for (const tab of tabs) {
    await expect(section(tab, "Invoices").getByRole("cell", { name: /^Paid/ })).toBeVisible();
  }
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

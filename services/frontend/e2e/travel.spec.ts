// Where time goes on. These move the time of the whole installation, which no other story would
// survive: they have an installation of their own, and run one after the other.
import type { Page } from "@playwright/test";
import { expectAccessible } from "./support/looks";
import { Agent, travelTo } from "./support/place";
import { expect, section, test } from "./support/test";

test.use({ bypassCSP: true });
test.describe.configure({ mode: "default", timeout: 300_000 });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Has the time of the installation, and of the browser, go on; the tab stays as it is. */
async function goTo(page: Page, moment: Date): Promise<void> {
  travelTo(moment);
  const now = await page.evaluate(() => Date.now());
  await page.clock.fastForward(Math.max(moment.getTime() - now, 0) + MINUTE);
}

function nextMonth(after: Date): Date {
  return new Date(Date.UTC(after.getUTCFullYear(), after.getUTCMonth() + 1, 1, 2));
}

test("a tab that stays open over the end of a month shows the new one", async ({
  page,
  organization,
  openBilling,
}) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("openai", "gpt-5");
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await page.clock.install();
  await openBilling();
  await page.evaluate(() => Object.assign(window, { isTheSame: true }));
  await expect(page.getByTestId("usage-workflows")).toContainText("5 of 5");
  await expect(section(page, "Usage")).toContainText("The free workflows of this month are used");
  await expect(section(page, "Invoices")).toContainText("No invoices yet");
  const costs = section(page, "Costs");
  await costs.getByRole("button", { name: "Show as table" }).click();
  const lastDay = costs
    .getByRole("table", { name: /by day/ })
    .getByRole("row")
    .last();
  await expect(lastDay).toContainText("$");

  const first = nextMonth(new Date());
  await goTo(page, first);
  await expect(page.getByTestId("usage-workflows")).toContainText("0 of 5");
  await expect(section(page, "Usage")).toContainText(/5 free workflows left/);
  await expect(section(page, "Invoices")).toContainText("$20.00");
  const day = first.toLocaleDateString("en-US", {
    timeZone: "UTC",
    day: "numeric",
    month: "short",
  });
  await expect(lastDay).toContainText(day);
  await expect(lastDay).toContainText("$0.00");
  expect(await page.evaluate(() => Reflect.get(window, "isTheSame"))).toBe(true);
  agent.stop();
});

test("a renewal that fails is past due, then suspended, and paying lifts it", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await organization.saveCard("pm_card_chargeCustomerFail");
  const { current_period_end } = await organization.get("/subscription");
  const renewal = new Date(current_period_end).getTime();
  await page.clock.install();
  await openBilling();
  const plan = section(page, "Current plan");
  await expect(plan).toContainText("Active");

  await goTo(page, new Date(renewal + 3 * HOUR));
  await expect(page.getByText("Everything goes on until")).toBeVisible();
  await expect(plan).toContainText("Past due");
  await expectAccessible(page, "past due");

  await goTo(page, new Date(renewal + 8 * 24 * HOUR));
  await expect(page.getByText("This account is suspended")).toBeVisible();
  await expect(plan).toContainText("Suspended");
  await expectAccessible(page, "suspended");

  await page.getByRole("link", { name: "Pay now" }).click();
  await expect(page).toHaveURL(/#invoices$/);
  await section(page, "Invoices").getByRole("button", { name: /^Pay / }).first().click();
  const dialog = page.getByRole("dialog", { name: "Pay $79.00" });
  await dialog.getByLabel("Pay with").selectOption({ label: "Visa •••• 4242" });
  await dialog.getByRole("button", { name: "Pay $79.00" }).click();
  await expect(page.getByText("This account is suspended")).toHaveCount(0);
  await expect(plan).toContainText("Active");
});

test("a trial counts its days, and becomes a plan that is paid for", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await page.clock.install();
  await openBilling();
  await expect(section(page, "Compare plans").locator('[data-tier="starter"]')).toContainText(
    "First 14 days free",
  );
  await organization.subscribe("starter");
  const plan = section(page, "Current plan");
  await expect(plan).toContainText("Trial until");
  await expect(plan).toContainText("14 days left");
  const { trial_end } = await organization.get("/subscription");
  await goTo(page, new Date(new Date(trial_end).getTime() + 3 * HOUR));
  await expect(plan).toContainText("Active");
  await expect(plan).toContainText(/Renews on/);
  await expect(section(page, "Invoices")).toContainText("$29.00");
});

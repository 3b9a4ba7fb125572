import type { Page } from "@playwright/test";
import { furnish } from "./support/furnish";
import { settled } from "./support/looks";
import { expect, section, test } from "./support/test";
import { expectFits } from "./support/touch";

test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

const DIALOGS = [
  ["Buy credits", "Buy credits"],
  ["Add card", "Add a card"],
  ["Edit billing details", "Edit billing details"],
  ["Next invoice", "Next invoice"],
  ["Upgrade to Team", "Upgrade to Team?"],
  ["Cancel plan", "Cancel the Pro plan?"],
  [/^Pay INV-/, /^Pay \$/],
  [/^INV-/, /^INV-/],
  [/^Remove Visa/, /^Remove Visa/],
] as const;

async function ready(page: Page) {
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  await settled(page);
}

test("nothing scrolls sideways, and what is touched is large enough", async ({
  page,
  organization,
  openBilling,
}) => {
  await furnish(organization);
  await openBilling();
  const costs = section(page, "Costs");
  await expect(costs.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await ready(page);
  await expectFits(page, "the page");
  await costs.getByRole("button", { name: "Show as table" }).click();
  await costs.getByRole("button", { name: "Range" }).click();
  await expectFits(page, "costs as a table, and a range");
  const [first, show] = [
    costs.getByLabel("First day"),
    costs.getByRole("button", { name: "Show", exact: true }),
  ];
  expect((await show.boundingBox())?.y, "one row for a range").toBe((await first.boundingBox())?.y);
  for (const [button, name] of DIALOGS) {
    await page.getByRole("button", { name: button, exact: true }).first().click();
    const dialog = page.getByRole("dialog", { name }).or(page.getByRole("alertdialog", { name }));
    await expect(dialog).toBeVisible();
    await ready(page);
    await expectFits(page, String(name));
    await page.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
  }
});

test("the pages around the billing page fit on a phone, too", async ({
  page,
  organization,
  openBilling,
}) => {
  await page.goto("/settings/billing/");
  await expect(page.getByLabel("Access token")).toBeVisible();
  await expectFits(page, "sign-in");
  await organization.get();
  const open = await organization.post("/credits/checkout", { amount_usd: 30 });
  const bought = await organization.buy("/credits/checkout", { amount_usd: 40 });
  await openBilling();
  for (const [address, heading] of [
    ["billing/success", "We do not know this purchase"],
    [`billing/success?session_id=${open.session_id}`, "Confirming your payment"],
    [`billing/success?session_id=${bought}`, "Payment received"],
    ["billing/cancel", /./],
    ["billing/no-such-page", /./],
  ] as const) {
    await page.goto(`/${address}`);
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expectFits(page, address);
  }
});

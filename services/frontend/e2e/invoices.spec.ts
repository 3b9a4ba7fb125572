import { expect, section, test } from "./support/test";

test("an invoice is generated, opened, downloaded and paid", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(2);
  await openBilling();
  await page.getByRole("button", { name: "Next invoice" }).click();
  await expect(page.getByRole("dialog", { name: "Next invoice" })).toContainText("$20.00");
  await page.getByRole("button", { name: "Generate invoice now" }).click();
  const details = page.getByRole("dialog", { name: /^INV-/ });
  await expect(details).toContainText("$20.00");
  const download = page.waitForEvent("download");
  await details.getByRole("link", { name: "Download PDF" }).click();
  expect((await download).suggestedFilename()).toMatch(/\.pdf$/);
  await details.getByRole("button", { name: "Pay $20.00" }).click();
  await page
    .getByRole("dialog", { name: "Pay $20.00" })
    .getByRole("button", { name: "Pay $20.00" })
    .click();
  await expect(page.getByText("The invoice is paid.")).toBeVisible();
  await organization.until("/invoices?status=paid", (found) => found.length === 1);
  expect((await organization.get("/invoices?status=open")).length).toBe(0);
});

test("invoices load, and are filtered by status", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("starter");
  await organization.until("/invoices", (found) => found.length === 1);
  await openBilling();
  const invoices = section(page, "Invoices");
  await expect(invoices.getByRole("row")).toHaveCount(2);
  await invoices.getByLabel("Invoices by status").selectOption("Open");
  await expect(invoices).toContainText("None of these");
  await page.reload();
  await expect(invoices).toContainText("None of these");
  await invoices.getByLabel("Invoices by status").selectOption("Paid");
  await expect(invoices.getByRole("row")).toHaveCount(2);
  await expect(invoices).toContainText("$29.00");
});

test("older invoices are shown when they are asked for", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  for (const amount of [11, 12, 13]) {
    await organization.buy("/credits/checkout", { amount_usd: amount });
  }
  await organization.until("/invoices", (found) => found.length === 3);
  // Pages of two, so that three are more than one.
  await page.route(/\/invoices\?/, (route) =>
    route.continue({ url: route.request().url().replace("limit=10", "limit=2") }),
  );
  await openBilling();
  const invoices = section(page, "Invoices");
  await expect(invoices.getByRole("row")).toHaveCount(3);
  await invoices.getByRole("button", { name: "Show older invoices" }).click();
  await expect(invoices.getByRole("row")).toHaveCount(4);
  await expect(invoices.getByRole("row").last()).toContainText("$11.00");
  await expect(invoices.getByRole("button", { name: "Show older invoices" })).toHaveCount(0);
});

test("a declined payment says why, and another card pays", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(1);
  await organization.post("/invoices/generate");
  await organization.saveCard("pm_card_chargeCustomerFail");
  await openBilling();
  await page.getByRole("button", { name: /^Pay INV-/ }).click();
  const dialog = page.getByRole("dialog", { name: "Pay $10.00" });
  await dialog.getByRole("button", { name: "Pay $10.00" }).click();
  await expect(dialog.getByRole("alert")).toContainText(/declined/i);
  await dialog.getByLabel("Pay with").selectOption({ label: "Visa •••• 4242" });
  await dialog.getByRole("button", { name: "Pay $10.00" }).click();
  await expect(page.getByText("The invoice is paid.")).toBeVisible();
});

test("a payment that asks for 3D Secure is confirmed in the page", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(1);
  await organization.post("/invoices/generate");
  await organization.saveCard("pm_card_authenticationRequired");
  await openBilling();
  await page.getByRole("button", { name: /^Pay INV-/ }).click();
  await page
    .getByRole("dialog", { name: "Pay $10.00" })
    .getByRole("button", { name: "Pay $10.00" })
    .click();
  await page
    .frameLocator('iframe[title="3D Secure"]')
    .getByRole("button", { name: "Complete authentication" })
    .click();
  await expect(page.getByText("The invoice is paid.")).toBeVisible();
  await organization.until("/invoices?status=paid", (found) => found.length === 1);
});

test("the usage behind an invoice can be seen", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(3);
  await organization.post("/invoices/generate");
  await openBilling();
  await page.getByRole("button", { name: /^INV-/ }).first().click();
  await page.getByRole("button", { name: "Show the usage behind it" }).click();
  await expect(page.getByRole("list", { name: "Usage" }).getByRole("listitem")).toHaveCount(3);
});

test("usage records are filtered by what is billed", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.runBeyond(1);
  await openBilling();
  const records = section(page, "Usage records");
  await expect(records.getByRole("row")).toHaveCount(7);
  await records.getByRole("button", { name: "Unbilled" }).click();
  await expect(records.getByRole("row")).toHaveCount(2);
  await expect(records).toContainText("Auto-billing");
  await records.getByRole("button", { name: "Billed", exact: true }).click();
  await expect(records.getByRole("row")).toHaveCount(6);
  await expect(records).toContainText("Free");
});

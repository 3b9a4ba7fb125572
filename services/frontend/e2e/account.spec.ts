import { mintToken } from "./support/place";
import { expect, section, signIn, test } from "./support/test";

test("the first visit creates the billing account", async ({ page, organization, openBilling }) => {
  await openBilling();
  await expect(page.getByTestId("tier")).toHaveText("Free");
  const account = await organization.get();
  expect(account.organization_id).toBe(organization.id);
  expect(account.status).toBe("pending");
});

test("subscription data loads: tier, price, period, limits", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await openBilling();
  const plan = section(page, "Current plan");
  await expect(plan.getByTestId("tier")).toHaveText("Pro");
  await expect(plan).toContainText("$79 per month");
  await expect(plan).toContainText("Current period");
  await expect(page.getByTestId("usage-workflows")).toContainText("0 of 100");
  await expect(page.getByTestId("usage-agents")).toContainText("0 of 5");
  await expect(page.getByTestId("usage-storage")).toContainText("of 50 GB");
});

test("a token signs in by hand, and the session outlives a reload", async ({
  page,
  organization,
}) => {
  await page.goto("/");
  await page.getByLabel("Access token").fill("not a token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByLabel("Access token").fill(organization.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await page.reload();
  await expect(page.getByTestId("tier")).toHaveText("Free");
});

test("a token that expires mid-way: the page says so, keeps what was typed, and goes on", async ({
  page,
  organization,
}) => {
  await organization.get();
  await signIn(page, organization.token);
  await page.goto("/settings/billing/");
  await page.getByRole("button", { name: "Edit billing details" }).click();
  const form = page.getByRole("dialog", { name: "Edit billing details" });
  await form.getByLabel("Name", { exact: true }).fill("Acme GmbH");
  // Only now is it one that soon ends: how long the page takes to open is the machine's to say.
  await signIn(page, mintToken({ [organization.id]: "owner" }, 10));
  await expect
    .poll(async () => (await page.request.get("/api/billing/session")).status())
    .toBe(401);
  await form.getByLabel("Billing email").fill("bills@example.com");
  await form.getByRole("button", { name: "Save" }).click();
  const ended = page.getByRole("alertdialog", { name: "Your session has ended" });
  await expect(ended).toBeVisible();
  await ended.getByLabel("Access token").fill("not a token");
  await ended.getByRole("button", { name: "Sign in" }).click();
  await expect(ended.getByRole("alert")).toBeVisible();
  await ended.getByLabel("Access token").fill(organization.token);
  await ended.getByRole("button", { name: "Sign in" }).click();
  await expect(ended).toHaveCount(0);
  await expect(form.getByLabel("Name", { exact: true })).toHaveValue("Acme GmbH");
  await expect(form.getByLabel("Billing email")).toHaveValue("bills@example.com");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(section(page, "Billing details")).toContainText("bills@example.com");
  expect((await organization.get()).buyer.name).toBe("Acme GmbH");
  await expect(section(page, "Payment methods")).toContainText("No card yet");
  await expect(page.getByTestId("tier")).toHaveText("Free");
});

test("a session that is gone leads to the sign-in, and on from there", async ({
  page,
  organization,
  context,
  openBilling,
}) => {
  await openBilling();
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await context.clearCookies();
  await page.reload();
  await page.getByLabel("Access token").fill(organization.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByTestId("tier")).toHaveText("Free");
});

test("who belongs to two organizations switches between them", async ({ page, organization }) => {
  const other = `${organization.id}-b`;
  await signIn(page, mintToken({ [organization.id]: "owner", [other]: "viewer" }));
  await page.goto("/settings/billing/");
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await page.getByLabel("Organization").selectOption(other);
  await expect(page.getByText(`payments of ${other}`)).toBeVisible();
  await expect(page.getByRole("button", { name: "Add card" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
});

test("a viewer sees everything, and why nothing can be changed", async ({ page, openBilling }) => {
  await openBilling("viewer");
  const buy = page.getByRole("button", { name: "Buy credits" });
  await expect(buy).toHaveAttribute("aria-disabled", "true");
  await expect(buy).toHaveAccessibleDescription(/viewer/);
  await buy.click({ force: true });
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("billing details and auto-billing are edited", async ({ page, organization, openBilling }) => {
  await openBilling();
  const details = section(page, "Billing details");
  await expect(details).toContainText(organization.id);
  await details.getByRole("button", { name: "Edit billing details" }).click();
  const form = page.getByRole("dialog", { name: "Edit billing details" });
  await form.getByLabel("Name", { exact: true }).fill("Acme GmbH");
  await form.getByLabel("Address line 1").fill("Hauptstraße 1");
  await form.getByLabel("Country, in two letters").fill("de");
  await form.getByLabel("Billing email").fill("nobody");
  await form.getByRole("checkbox", { name: "Auto-billing" }).check();
  await expect(form).toContainText("There is no card to charge yet");
  await form.getByLabel("Monthly limit in dollars").fill("50");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByRole("alert")).toContainText("billing_email");
  await form.getByLabel("Billing email").fill("bills@example.com");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Billing details are saved.")).toBeVisible();
  await expect(details).toContainText("Acme GmbH");
  await expect(details).toContainText("$50.00 a month");
  expect(await organization.get()).toMatchObject({
    buyer: { name: "Acme GmbH", address: { line1: "Hauptstraße 1", country: "DE" } },
    billing_email: "bills@example.com",
    auto_billing_enabled: true,
    auto_billing_monthly_limit: 50,
  });
});

test("the customer portal opens, and leads back", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await openBilling();
  await page.getByRole("button", { name: "Customer portal" }).click();
  await expect(page.getByText("•••• 4242").or(page.getByText("4242")).first()).toBeVisible();
  await page
    .getByRole("link", { name: /return|back/i })
    .first()
    .click();
  await expect(page.getByTestId("tier")).toHaveText("Free");
});

import type { Page } from "@playwright/test";
import { expect, section, test } from "./support/test";

async function openForm(page: Page) {
  await page.getByRole("button", { name: "Add card" }).click();
  await expect(page.getByRole("dialog", { name: "Add a card" })).toBeVisible();
  return page.getByLabel("Test card");
}

async function save(page: Page) {
  await page.getByRole("button", { name: "Save card" }).click();
}

test("Stripe.js loads with the publishable key of this installation, and not before it is needed", async ({
  page,
  openBilling,
}) => {
  await openBilling();
  const config = await (await page.request.get("/api/billing/config")).json();
  expect(config.publishable_key).toMatch(/^pk_test_/);
  expect(await page.evaluate(() => "Stripe" in window)).toBe(false);
  const asked = page.waitForRequest((request) => request.url().includes("/v1/setup_intents/"));
  await expect(await openForm(page)).toBeVisible();
  expect(await page.evaluate(() => "Stripe" in window)).toBe(true);
  await save(page);
  expect((await asked).postData()).toContain(`key=${config.publishable_key}`);
  await expect(section(page, "Payment methods")).toContainText("•••• 4242");
});

test("the card form validates input: what is missing or wrong is told, and nothing is saved", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const form = await openForm(page);
  const dialog = page.getByRole("dialog", { name: "Add a card" });
  const number = dialog.getByLabel("Card number");
  await form.selectOption("Another one, by its number");
  await expect(number).toHaveValue("");
  for (const [field, text, message] of [
    ["Card number", "4242 4242", "Your card number is incomplete."],
    ["Card number", "4242 4242 4242 4241", "Your card number is invalid."],
    ["Card number", "4242 4242 4242 4242", "Your card's expiration date is incomplete."],
    ["Expiration date", "01 / 20", "Your card's expiration date is in the past."],
    ["Expiration date", "01 / 40", "Your card's security code is incomplete."],
  ] as const) {
    await dialog.getByLabel(field).fill(text);
    await save(page);
    await expect(dialog.getByRole("alert")).toHaveText(message);
    await expect(dialog.getByRole("alert")).toBeFocused();
  }
  expect(await organization.get("/payment-methods")).toEqual([]);
  await dialog.getByLabel("Security code").fill("123");
  await save(page);
  await expect(page.getByText("Your card is saved.")).toBeVisible();
  await expect(section(page, "Payment methods")).toContainText("•••• 4242");
});

test("a card that is confirmed on the bank's own page is saved after the way back, once", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const form = await openForm(page);
  await form.selectOption("tok_authenticationRequiredOnSetup");
  // Stripe leaves the page where a bank allows no frame: so this one comes back by its address.
  const asked = page.waitForResponse(/setup_intents\/.*\/confirm/);
  await save(page);
  const { id, client_secret } = await (await asked).json();
  const answered = page.waitForResponse(
    (response) =>
      response.request().method() === "POST" && response.request().frame() !== page.mainFrame(),
  );
  await page
    .frameLocator('iframe[title="3D Secure"]')
    .getByRole("button", { name: "Complete authentication" })
    .click();
  await answered;
  await page.goto("about:blank");
  const back = new URLSearchParams({
    setup_intent: id,
    setup_intent_client_secret: client_secret,
    redirect_status: "succeeded",
  });
  await page.goto(`/settings/billing/?${back}`);
  await expect(page.getByText("Your card is saved.")).toBeVisible();
  await expect(section(page, "Payment methods")).toContainText("•••• 3155");
  await expect(page).toHaveURL(/\/settings\/billing\/$/);
  await page.reload();
  await expect(section(page, "Payment methods").getByRole("listitem")).toHaveCount(1);
  await organization.until("/payment-methods", (cards) => cards.length === 1);
});

test("a card that could not be saved after the way back says so until it is tried again", async ({
  page,
  openBilling,
}) => {
  await openBilling();
  await openForm(page);
  const asked = page.waitForResponse(/setup_intents\/.*\/confirm/);
  await page.route("**/payment-method", (route) => route.abort());
  await save(page);
  const { client_secret } = await (await asked).json();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.goto(`/settings/billing/?setup_intent_client_secret=${client_secret}`);
  const cards = section(page, "Payment methods");
  await expect(cards).toContainText("Your card is not saved");
  await page.unroute("**/payment-method");
  await cards.getByRole("button", { name: "Try again" }).click();
  await expect(cards).toContainText("•••• 4242");
  await expect(page.getByText("Your card is not saved")).toHaveCount(0);
});

test("a card that the bank's own page did not confirm is not saved, and the page says so", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  const { client_secret } = await organization.post("/setup-intent");
  await openBilling();
  const back = new URLSearchParams({
    setup_intent: client_secret.split("_secret_")[0],
    setup_intent_client_secret: client_secret,
    redirect_status: "failed",
  });
  await page.goto(`/settings/billing/?${back}`);
  const cards = section(page, "Payment methods");
  await expect(cards).toContainText("Your card is not saved");
  await expect(cards).toContainText("Your bank did not confirm the card.");
  await expect(page).toHaveURL(/\/settings\/billing\/$/);
  await cards.getByRole("button", { name: "Add another card" }).click();
  await expect(page.getByRole("dialog", { name: "Add a card" })).toBeVisible();
  await expect(page.getByText("Your card is not saved")).toHaveCount(0);
  expect(await organization.get("/payment-methods")).toEqual([]);
});

test("a card is added and becomes the default", async ({ page, organization, openBilling }) => {
  await openBilling();
  await expect(page.getByText("No card yet")).toBeVisible();
  await openForm(page);
  await save(page);
  await expect(page.getByText("Your card is saved.")).toBeVisible();
  const cards = section(page, "Payment methods");
  await expect(cards.getByRole("listitem")).toHaveCount(1);
  await expect(cards).toContainText("Default");
  const [saved] = await organization.get("/payment-methods");
  expect(saved).toMatchObject({ card_last4: "4242", is_default: true });
});

test("the card form tells of a declined card, and takes another one", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const form = await openForm(page);
  await form.selectOption("tok_chargeDeclined");
  await save(page);
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText(/declined/i);
  await expect(page.getByRole("dialog").getByRole("alert")).toBeFocused();
  expect(await organization.get("/payment-methods")).toEqual([]);
  await form.selectOption("tok_mastercard");
  await save(page);
  await expect(section(page, "Payment methods")).toContainText("•••• 4444");
});

test("a card that asks for 3D Secure is confirmed in the page", async ({ page, openBilling }) => {
  await openBilling();
  const form = await openForm(page);
  await form.selectOption("tok_authenticationRequiredOnSetup");
  await save(page);
  await page
    .frameLocator('iframe[title="3D Secure"]')
    .getByRole("button", { name: "Complete authentication" })
    .click();
  await expect(page.getByText("Your card is saved.")).toBeVisible();
  await expect(section(page, "Payment methods")).toContainText("•••• 3155");
});

test("a card that the bank does not confirm is not saved", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const form = await openForm(page);
  await form.selectOption("tok_authenticationRequired");
  await save(page);
  await page
    .frameLocator('iframe[title="3D Secure"]')
    .getByRole("button", { name: "Fail authentication" })
    .click();
  await expect(page.getByRole("dialog", { name: "Add a card" }).getByRole("alert")).not.toBeEmpty();
  expect(await organization.get("/payment-methods")).toEqual([]);
});

test("another card is made the default", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await organization.saveCard("pm_card_mastercard");
  await openBilling();
  await page.getByRole("button", { name: "Make default: Visa ending in 4242" }).click();
  await expect(page.getByText("Visa ending in 4242 is the default now.")).toBeVisible();
  await organization.until("/payment-methods", (cards) => cards[0].card_last4 === "4242");
});

test("a card is removed after a question", async ({ page, organization, openBilling }) => {
  await organization.saveCard("pm_card_visa");
  await openBilling();
  await page.getByRole("button", { name: "Remove Visa ending in 4242" }).click();
  await page.getByRole("button", { name: "Keep card" }).click();
  await page.getByRole("button", { name: "Remove Visa ending in 4242" }).click();
  await page.getByRole("button", { name: "Remove card" }).click();
  await expect(page.getByText("No card yet")).toBeVisible();
  expect(await organization.get("/payment-methods")).toEqual([]);
});

test("the last card stays while a paid plan runs, and the server says why", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("starter");
  await openBilling();
  const cards = section(page, "Payment methods").getByRole("button", { name: /^Remove / });
  await expect(cards.first()).toBeVisible();
  for (let left = await cards.count(); left > 0; left--) {
    await cards.first().click();
    await page.getByRole("button", { name: "Remove card" }).click();
    const refused = page.getByRole("alertdialog").getByRole("alert");
    const gone = page.getByText(/is removed\.$/);
    await expect(refused.or(gone).first()).toBeVisible();
    if (await refused.isVisible()) break;
    await expect(cards).toHaveCount(left - 1);
  }
  await expect(page.getByRole("alertdialog").getByRole("alert")).toContainText(/plan/);
  expect((await organization.get("/payment-methods")).length).toBe(1);
});

import { expect, section, test } from "./support/test";

test("tier comparison is clear: every plan with its price and limits, the current one marked", async ({
  page,
  organization,
  openBilling,
}) => {
  await openBilling();
  const { plans } = await (await page.request.get("/api/billing/plans")).json();
  const compared = section(page, "Compare plans");
  for (const plan of plans) {
    if (plan.interval === "once") continue;
    const card = compared.locator(`[data-tier="${plan.tier}"]`);
    await expect(card).toContainText(plan.name);
    await expect(card).toContainText(plan.price === null ? "Custom" : `$${plan.price}`);
    const limit = plan.workflows_limit === -1 ? "Unlimited" : String(plan.workflows_limit);
    await expect(card).toContainText(`${limit} workflows`);
    const agents = plan.agents_limit === -1 ? "Unlimited" : String(plan.agents_limit);
    await expect(card).toContainText(new RegExp(`${agents} agents?`));
    const isEndless = plan.storage_limit_gb === -1;
    await expect(card).toContainText(
      isEndless ? "Unlimited storage" : `${plan.storage_limit_gb} GB of storage`,
    );
  }
  const ownKeys = compared.locator('[data-tier="byo"]');
  await expect(ownKeys).toContainText("You pay the LLM providers directly");
  await expect(ownKeys).toContainText("LLM costs are shown, never charged");
  await expect(compared.locator('[data-tier="free"]')).toContainText("Current plan");
  expect((await organization.get("/subscription")).tier).toBe("free");
});

test("an upgrade costs what its preview said, and applies at once", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await organization.until("", (account) => account.total_amount_spent === 79);
  await openBilling();
  await page.getByRole("button", { name: "Upgrade to Team" }).click();
  const pay = page.getByRole("button", { name: /^Pay \$[\d.]+ and upgrade$/ });
  const due = Number((await pay.textContent())?.match(/[\d.]+/)?.[0]);
  await pay.click();
  await expect(page.getByTestId("tier")).toHaveText("Team");
  await expect(page.getByTestId("usage-workflows")).toContainText("of 500");
  await organization.until(
    "",
    (account) => Math.abs(account.total_amount_spent - 79 - due) < 0.005,
  );
});

test("an upgrade whose charge fails changes nothing, and says so", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("starter");
  await organization.saveCard("pm_card_chargeCustomerFail");
  await openBilling();
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await page.getByRole("button", { name: /and upgrade$/ }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  expect((await organization.get("/subscription")).tier).toBe("starter");
});

test("a downgrade waits for the end of the period, and can be taken back", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await openBilling();
  await page.getByRole("button", { name: "Switch to Starter" }).click();
  await page.getByRole("button", { name: "Downgrade" }).click();
  await expect(section(page, "Current plan")).toContainText(/Changes to Starter on/);
  await section(page, "Current plan").getByRole("button", { name: "Keep Pro" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep plan" }).click();
  await expect(page.getByText(/Changes to Starter on/)).toHaveCount(0);
  await organization.until("/subscription", (found) => found.pending_tier === null);
});

test("a plan is canceled for the end of its period, and reactivated", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("pro");
  await openBilling();
  await page.getByRole("button", { name: "Cancel plan" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel plan" }).click();
  await expect(section(page, "Current plan")).toContainText("Ends soon");
  await organization.until("/subscription", (found) => found.cancel_at_period_end === true);
  await page.getByRole("button", { name: "Reactivate" }).click();
  await expect(section(page, "Current plan")).toContainText("Active");
  await organization.until("/subscription", (found) => found.cancel_at_period_end === false);
});

test("usage warnings appear near limits, in words", async ({ page, organization, openBilling }) => {
  await organization.get();
  await organization.post("/agents", { agents_in_use: 1 });
  await organization.run(4);
  await openBilling();
  await expect(page.getByTestId("usage-workflows")).toContainText("4 of 5");
  await expect(page.getByTestId("usage-workflows")).toContainText(/Almost used up/);
  await expect(page.getByTestId("usage-agents")).toContainText(/Limit reached/);
});

test("a limit that is reached while the page is open is told at once", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  await organization.run(4);
  await openBilling();
  await expect(page.getByTestId("usage-workflows")).toContainText("4 of 5");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  // What is told goes after some seconds: it is looked for before it can come.
  const told = page.getByText("You have used 100% of the").waitFor();
  await organization.run(1);
  await told;
  await expect(page.getByTestId("usage-workflows")).toContainText("5 of 5");
});

test("who brings their own keys sees which providers run on them, and no limit of workflows", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.saveCard("pm_card_visa");
  await organization.subscribe("byo");
  await openBilling();
  const plan = section(page, "Current plan");
  await expect(plan.getByTestId("tier")).toHaveText("Bring your own keys");
  await expect(plan).toContainText("$19 per month");
  await expect(plan).toContainText(/Your own keys\s*None yet/);
  await expect(page.getByTestId("usage-workflows")).toContainText("Unlimited");
  await organization.put("/subscription/byo-providers", { providers: ["anthropic", "openai"] });
  await page.reload();
  await expect(plan).toContainText("anthropic, openai");
});

test("a limit that is reached has a banner with the way out", async ({
  page,
  organization,
  openBilling,
}) => {
  await organization.get();
  await organization.run(5);
  await openBilling();
  await expect(page.getByText(/reached your limit of workflows/)).toBeVisible();
  await page.getByRole("link", { name: "See plans" }).first().click();
  await expect(page).toHaveURL(/#plans$/);
});

import { mintToken, runModule } from "./support/place";
import { expect, section, signIn, test } from "./support/test";

test("after the demo every section of acme's page has something to show", async ({ page }) => {
  runModule("deploy.demo", "--calls", "60", "--speed", "100000");
  await signIn(page, mintToken({ acme: "owner" }));
  await page.goto("/settings/billing/");
  await expect(section(page, "Current plan").getByTestId("tier")).toHaveText("Pro");
  await expect(page.getByTestId("usage-workflows")).toContainText("100 of 100");
  await expect(page.getByTestId("usage-storage")).toContainText("21 GB of 50 GB");
  const costs = section(page, "Costs");
  await expect(costs.getByTestId("cost")).toHaveText(/^\$[1-9]/);
  const bars = costs.locator(".recharts-bar-rectangle path");
  await expect.poll(() => bars.count()).toBeGreaterThan(60);
  await expect(costs.getByRole("table", { name: "Models by cost" }).getByRole("row")).toHaveCount(
    7,
  );
  await expect(page.getByTestId("credit-balance")).toHaveText(/^\$[1-9]/);
  await expect(section(page, "Credits").getByRole("list")).toContainText("+$45.00");
  await expect(section(page, "Payment methods")).toContainText("•••• 4242");
  const invoices = section(page, "Invoices");
  await expect(invoices.getByRole("button", { name: /^Pay INV-/ })).toHaveCount(1);
  await expect(invoices.getByRole("cell", { name: /^Paid/ }).first()).toBeVisible();
  await expect(section(page, "Billing details")).toContainText("Acme Robotics GmbH");
  await expect(section(page, "Usage records").getByRole("row")).toHaveCount(11);
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  await expect(page.getByText(/reached your limit of workflows/)).toBeVisible();
});

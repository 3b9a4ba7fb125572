import { readFileSync } from "node:fs";
import { heightOfToday } from "./support/chart";
import { Agent } from "./support/place";
import { expect, section, test } from "./support/test";

test("cost data loads and displays: total, chart, models, table", async ({
  page,
  organization,
  openBilling,
}) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("anthropic", "claude-sonnet-4-5");
  await agent.calls("openai", "gpt-5");
  await organization.until("/costs/summary", (found) => found.record_count === 2);
  agent.stop();
  await openBilling();
  const costs = section(page, "Costs");
  const { total_cost } = await organization.get("/costs/summary");
  await expect(costs.getByTestId("cost")).toHaveText(`$${total_cost.toFixed(2)}`);
  await expect(
    costs.getByTestId("cost-chart").locator(".recharts-bar-rectangle path").first(),
  ).toBeVisible();
  await expect(costs.getByRole("table", { name: "Models by cost" })).toContainText("gpt-5");
  await costs.getByRole("button", { name: "Show as table" }).click();
  const table = costs.getByRole("table", { name: "Costs by day and provider" });
  await expect(table.getByRole("row")).toHaveCount(31);
  await costs.getByRole("button", { name: "7 days" }).click();
  await expect(table.getByRole("row")).toHaveCount(8);
  await costs.getByRole("button", { name: "Model", exact: true }).click();
  await expect(
    costs.getByRole("table", { name: "Costs by day and model" }).getByRole("columnheader"),
  ).toHaveCount(4);
});

test("costs arrive live, and the bar of today grows", async ({
  page,
  organization,
  openBilling,
}) => {
  const agent = await Agent.of(organization.id);
  await openBilling();
  const costs = section(page, "Costs");
  await expect(costs).toContainText("No costs in these days");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  // A day that stands higher, so that the scale stays when today grows.
  await agent.calls("openai", "gpt-5", { daysAgo: 1, times: 20 });
  await agent.calls("openai", "gpt-5");
  await expect(costs).toContainText("21 calls");
  await expect.poll(() => heightOfToday(page)).toBeGreaterThan(0);
  const before = await heightOfToday(page);
  for (let calls = 0; calls < 5; calls++) await agent.calls("openai", "gpt-5");
  await expect(costs).toContainText("26 calls");
  await expect.poll(() => heightOfToday(page)).toBeGreaterThan(4 * before);
  await agent.calls("anthropic", "claude-sonnet-4-5");
  await expect(costs.getByRole("table", { name: "Models by cost" })).toContainText("claude-sonnet");
  agent.stop();
});

test("a model without a price is told of, and not counted as nothing", async ({
  page,
  organization,
  openBilling,
}) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("acme-labs", "model-that-nobody-priced");
  await organization.until("/costs/summary", (found) => found.unpriced_records === 1);
  agent.stop();
  await openBilling();
  const costs = section(page, "Costs");
  await expect(costs).toContainText("1 call not yet priced");
  const row = costs.getByRole("row", { name: /model-that-nobody-priced/ });
  await expect(row).toContainText("Not yet priced");
  await expect(row).not.toContainText("$0.00");
});

test("costs are compared with the days before, and shown for a range of days that is chosen", async ({
  page,
  organization,
  openBilling,
}) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("openai", "gpt-5", { daysAgo: 10, times: 1 });
  await agent.calls("openai", "gpt-5", { daysAgo: 2, times: 3 });
  await organization.until("/costs/summary", (found) => found.record_count === 4);
  agent.stop();
  await openBilling();
  const costs = section(page, "Costs");
  await costs.getByRole("button", { name: "7 days" }).click();
  await expect(costs).toContainText("3 calls");
  await expect(costs).toContainText("200% more than the 7 days before");
  const day = (daysAgo: number) =>
    new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10);
  await costs.getByRole("button", { name: "Range" }).click();
  await costs.getByLabel("First day").fill(day(11));
  await costs.getByLabel("Last day").fill(day(9));
  await costs.getByRole("button", { name: "Show", exact: true }).click();
  await expect(costs).toContainText("1 call,");
  await costs.getByRole("button", { name: "Show as table" }).click();
  await expect(costs.getByRole("table", { name: /by day/ }).getByRole("row")).toHaveCount(4);
  await page.reload();
  await expect(costs).toContainText("1 call,");
  await costs.getByLabel("Last day").fill(day(12));
  await expect(costs.getByRole("alert")).toHaveText("The first day comes after the last one.");
  await expect(costs.getByRole("button", { name: "Show", exact: true })).toBeDisabled();
});

test("costs are downloaded as CSV", async ({ page, organization, openBilling }) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("openai", "gpt-5");
  await organization.until("/costs/summary", (found) => found.record_count === 1);
  agent.stop();
  await openBilling();
  const download = page.waitForEvent("download");
  await section(page, "Costs").getByRole("link", { name: "Download CSV" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/\.csv$/);
  const lines = readFileSync(await file.path(), "utf8")
    .trim()
    .split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain("gpt-5");
});

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
  await agent.calls("openai", "gpt-5");
  await expect(costs.getByTestId("cost")).toBeVisible();
  const bar = costs.getByTestId("cost-chart").locator(".recharts-bar-rectangle path").last();
  await expect(bar).toBeVisible();
  const before = await costs.getByTestId("cost").textContent();
  for (let calls = 0; calls < 5; calls++) await agent.calls("anthropic", "claude-sonnet-4-5");
  await expect(costs.getByTestId("cost")).not.toHaveText(before ?? "");
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
  await expect(section(page, "Costs")).toContainText("1 call not yet priced");
});

test("costs are downloaded as CSV", async ({ page, organization, openBilling }) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("openai", "gpt-5");
  await organization.until("/costs/summary", (found) => found.record_count === 1);
  agent.stop();
  await openBilling();
  const link = section(page, "Costs").getByRole("link", { name: "Download CSV" });
  const csv = await page.request.get((await link.getAttribute("href")) ?? "");
  expect(csv.headers()["content-type"]).toContain("text/csv");
  expect((await csv.text()).trim().split("\n")).toHaveLength(2);
});

import { spend } from "./support/furnish";
import { type Fetched, watchTransfer } from "./support/network";
import { expect, section, test } from "./support/test";

const KB = 1_000;
const MOST_TRANSFER = 460 * KB;

function sum(fetched: readonly Fetched[]): number {
  return fetched.reduce((total, { bytes }) => total + bytes, 0);
}

test("all that the page fetches by itself, with the chart, is as light as was promised", async ({
  page,
  organization,
  openBilling,
  baseURL,
}) => {
  await spend(organization, 2);
  const fetched = await watchTransfer(page, new URL(baseURL ?? "").origin);
  await openBilling();
  await expect(section(page, "Compare plans")).toContainText("Current plan");
  const bar = section(page, "Costs").locator(".recharts-bar-rectangle path").first();
  await expect(bar).toBeVisible();
  await page.waitForLoadState("load");
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  const whole = sum(fetched);
  test.info().annotations.push({ type: "transfer", description: `${whole} bytes` });
  expect(fetched.some(({ path }) => path.endsWith(".woff2"))).toBe(true);
  expect(whole, JSON.stringify(fetched)).toBeLessThanOrEqual(MOST_TRANSFER);
  // What is fetched later has a reason: nothing of Stripe's, and no dialog, has come yet.
  expect(fetched.filter(({ path }) => path.endsWith(".js")).length).toBeGreaterThan(5);
});

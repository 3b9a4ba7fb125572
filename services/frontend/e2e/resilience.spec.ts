import { holdService } from "./support/place";
import { expect, section, test } from "./support/test";

// One at a time: what is held here, the other tests need.
test.describe.configure({ mode: "serial" });

test("loading states display: skeletons first, and nothing moves when data come", async ({
  page,
  openBilling,
}) => {
  await page.route("**/api/billing/account/**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    await route.continue();
  });
  await page.addInitScript(() => {
    Object.assign(window, { shift: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value, hadRecentInput } = entry as unknown as {
          value: number;
          hadRecentInput: boolean;
        };
        if (!hadRecentInput) Object.assign(window, { shift: Reflect.get(window, "shift") + value });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  await openBilling();
  await expect(page.locator('[data-slot="skeleton"]').first()).toBeVisible();
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => undefined);
  expect(await page.evaluate(() => Reflect.get(window, "shift"))).toBeLessThanOrEqual(0.02);
});

test("error messages are user-friendly: the server's sentence, and a way to try again", async ({
  page,
  openBilling,
}) => {
  let isAway = true;
  await page.route("**/payment-methods", async (route) => {
    if (!isAway) return route.continue();
    const body = { detail: "Cards cannot be read right now.", status_code: 503, code: "away" };
    await route.fulfill({ status: 503, json: body });
  });
  await openBilling();
  const cards = section(page, "Payment methods");
  await expect(cards.getByRole("alert")).toContainText("Cards cannot be read right now.");
  await expect(page.getByTestId("tier")).toHaveText("Free");
  isAway = false;
  await cards.getByRole("button", { name: "Try again" }).click();
  await expect(cards).toContainText("No card yet");
});

test("without a network the page says so, and goes on when it is back", async ({
  page,
  context,
  openBilling,
}) => {
  await openBilling();
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await context.setOffline(true);
  await expect(page.getByText(/offline/i).first()).toBeVisible();
  await context.setOffline(false);
  await expect(page.getByText(/offline/i)).toHaveCount(0);
});

for (const [service, title, other] of [
  ["invoicing", "Invoices", "Payment methods"],
  ["cost_metering", "Costs", "Credits"],
] as const) {
  test(`while ${service} is away its sections say so, and the rest lives`, async ({
    page,
    organization,
    openBilling,
  }) => {
    await organization.get();
    const letGo = holdService(service);
    try {
      await openBilling();
      await expect(section(page, other)).not.toContainText("Try again");
      await expect(page.getByTestId("tier")).toHaveText("Free");
      await expect(section(page, title).getByRole("button", { name: "Try again" })).toBeVisible();
    } finally {
      letGo();
    }
    await section(page, title).getByRole("button", { name: "Try again" }).click();
    await expect(section(page, title).getByRole("button", { name: "Try again" })).toHaveCount(0);
  });
}

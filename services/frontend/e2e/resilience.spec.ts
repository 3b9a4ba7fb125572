import type { Page } from "@playwright/test";
import { furnish } from "./support/furnish";
import { MOST_SHIFT, shiftOf, slowDown, watchShifts } from "./support/network";
import { holdService } from "./support/place";
import { expect, section, test } from "./support/test";

// One at a time: what is held here, the other tests need.
test.describe.configure({ mode: "default" });

/** Begin to wait before the page opens: a skeleton may be gone before a busy machine looks. */
function skeletonShows(page: Page): Promise<void> {
  return page.locator('[data-slot="skeleton"]').first().waitFor();
}

test("loading states display: skeletons first, and nothing moves when data come", async ({
  page,
  openBilling,
}) => {
  await page.route("**/api/billing/account/**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    await route.continue();
  });
  await watchShifts(page);
  const loading = skeletonShows(page);
  await openBilling();
  await loading;
  await expect(page.getByTestId("tier")).toHaveText("Free");
  await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
  expect(await shiftOf(page)).toBeLessThanOrEqual(MOST_SHIFT);
});

for (const [device, viewport] of [
  ["a desktop", { width: 1280, height: 900 }],
  ["a phone", { width: 390, height: 844 }],
] as const) {
  test(`nothing moves on ${device} with a slow network and a cold cache, however much there is`, async ({
    page,
    organization,
    openBilling,
  }) => {
    await furnish(organization);
    await page.setViewportSize(viewport);
    await slowDown(page);
    await watchShifts(page);
    const loading = skeletonShows(page);
    await openBilling();
    await loading;
    const costs = section(page, "Costs");
    await expect(costs.locator(".recharts-bar-rectangle path").first()).toBeVisible();
    await expect(section(page, "Compare plans")).toContainText("Current plan");
    await expect(page.locator('[data-slot="skeleton"]')).toHaveCount(0);
    expect(await shiftOf(page)).toBeLessThanOrEqual(MOST_SHIFT);
  });
}

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

/** What each service alone answers for, and what lives without it. */
const AWAY = [
  ["subscription", ["Current plan", "Usage"]],
  ["account", ["Credits", "Billing details"]],
  ["stripe_gateway", ["Payment methods"]],
  ["invoicing", ["Invoices", "Usage records"]],
  ["cost_metering", ["Costs"]],
] as const;

/** What a section shows when it has been read. */
const ALIVE = [
  ["Current plan", "Free"],
  ["Usage", "0 of 5"],
  ["Costs", "No costs in these days"],
  ["Credits", "$0.00"],
  ["Payment methods", "4242"],
  ["Invoices", "No invoices yet"],
  ["Billing details", "Invoices are made out to"],
  ["Usage records", "No usage yet"],
] as const;

for (const [service, titles] of AWAY) {
  test(`while ${service} is away its sections say so, the rest lives, and all comes back`, async ({
    page,
    organization,
    openBilling,
  }) => {
    await organization.saveCard("pm_card_visa");
    const held = holdService(service);
    try {
      await openBilling();
      for (const title of titles) {
        const alert = section(page, title).getByRole("alert").first();
        await expect(alert).toContainText(/\w+ \w+/);
        await expect(alert.getByRole("button", { name: "Try again" })).toBeVisible();
      }
      for (const [title, text] of ALIVE) {
        if (!titles.some((each) => each === title)) {
          await expect(section(page, title)).toContainText(text);
        }
      }
    } finally {
      held.restart();
    }
    await recovered(page, titles);
  });
}

/** Tries again, as somebody would until it works. */
async function recovered(page: Page, titles: readonly string[]) {
  for (const title of titles) {
    const part = section(page, title);
    const again = part.getByRole("button", { name: "Try again" });
    const text = ALIVE.find(([each]) => each === title)?.[1] ?? "";
    await expect(async () => {
      if (await again.first().isVisible()) await again.first().click({ timeout: 1_000 });
      await expect(part).toContainText(text, { timeout: 3_000 });
      await expect(again).toHaveCount(0, { timeout: 100 });
    }).toPass({ timeout: 60_000 });
  }
}

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import { expect, section, test } from "./support/test";

// Injected as text, which the page's own policy would refuse: the browser is told not to ask it.
test.use({ bypassCSP: true });

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface Found {
  violations: { id: string; nodes: { html: string }[] }[];
}
interface WithAxe {
  axe: { run: (options: { runOnly: string[] }) => Promise<Found> };
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async (tags) => {
    const { violations: found } = await (window as unknown as WithAxe).axe.run({ runOnly: tags });
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  }, TAGS);
}

const DIALOGS = [
  ["Buy credits", "Buy credits"],
  ["Add card", "Add a card"],
  ["Edit billing details", "Edit billing details"],
  ["Next invoice", "Next invoice"],
  ["Upgrade to Team", "Upgrade to Team?"],
  ["Cancel plan", "Cancel the Pro plan?"],
] as const;

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test.describe(`${colorScheme}, ${width} pixels wide`, () => {
      test.use({ colorScheme, viewport: { width, height: 900 } });

      test("no page and no open dialog has an accessibility violation", async ({
        page,
        organization,
        openBilling,
      }) => {
        await organization.saveCard("pm_card_visa");
        await organization.subscribe("pro");
        await openBilling();
        await expect(section(page, "Compare plans")).toContainText("Current plan");
        await expect(section(page, "Invoices")).toContainText("$79.00");
        expect(await violations(page)).toEqual([]);
        for (const [button, name] of DIALOGS) {
          await page.getByRole("button", { name: button, exact: true }).first().click();
          const dialog = page
            .getByRole("dialog", { name })
            .or(page.getByRole("alertdialog", { name }));
          await expect(dialog).toBeVisible();
          await expect(dialog.locator('[data-slot="skeleton"]')).toHaveCount(0);
          // Faded in: a colour on its way has no contrast yet.
          await page.waitForTimeout(300);
          expect(await violations(page), name).toEqual([]);
          await page.keyboard.press("Escape");
          await expect(dialog).toHaveCount(0);
        }
        for (const path of ["/billing/success", "/billing/cancel", "/billing/no-such-page"]) {
          await page.goto(path);
          await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
          expect(await violations(page), path).toEqual([]);
        }
      });
    });
  }
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test("nothing scrolls sideways, and what is touched is large enough", async ({
    page,
    organization,
    openBilling,
  }) => {
    await organization.saveCard("pm_card_visa");
    await organization.subscribe("pro");
    await openBilling();
    await expect(section(page, "Invoices")).toContainText("$79.00");
    const [wide, room] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(wide).toBeLessThanOrEqual(room ?? 0);
    const box = await page.getByRole("button", { name: "Add card" }).boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(44);
  });
});

test("a dialog is opened, used and left by the keyboard alone", async ({ page, openBilling }) => {
  await openBilling();
  const buy = page.getByRole("button", { name: "Buy credits" });
  await buy.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Buy credits" })).toBeVisible();
  const isInside = () =>
    page.evaluate(() => Boolean(document.activeElement?.closest('[role="dialog"]')));
  // Focus moves into a dialog, and around at its ends, with the next frame.
  await expect.poll(isInside).toBe(true);
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press("Tab");
    await expect.poll(isInside).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(buy).toBeFocused();
});

test("the dark theme is chosen by hand, and stays", async ({ page, openBilling }) => {
  await openBilling();
  const dark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
  const toggle = page.getByRole("button", { name: /theme/i });
  for (let clicks = 0; clicks < 3 && !(await dark()); clicks++) await toggle.click();
  expect(await dark()).toBe(true);
  await page.reload();
  await expect(page.getByTestId("tier")).toBeVisible();
  expect(await dark()).toBe(true);
});

// Whether what stands in the page can be used by everybody, in every look that the page has.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, type Page } from "@playwright/test";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) =>
  [1280, 390].map((width) => ({ colorScheme, width })),
);

interface Found {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}
interface WithAxe {
  axe?: { run: (place: string, options: { runOnly: readonly string[] }) => Promise<Found> };
}

/**
 * Expects no violation in any look, in the page or only `within` a part of it. The page's own
 * policy would refuse axe: set `bypassCSP`.
 */
export async function expectAccessible(page: Page, what: string, within = "html"): Promise<void> {
  for (const { colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    // A message may begin to fade while it is looked at; what is wrong stays so.
    await expect(async () => {
      await settled(page);
      const found = await violations(page, within);
      expect(found, `${what}, ${colorScheme}, ${width} pixels`).toEqual([]);
    }).toPass({ timeout: 15_000 });
  }
}

/** Waits until nothing fades or moves: a colour on its way has no contrast yet. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every(
        (each) =>
          each.playState !== "running" ||
          each.effect?.getTiming().iterations === Number.POSITIVE_INFINITY,
      ),
  );
}

async function violations(page: Page, within: string): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  return page.evaluate(
    async ([place, tags]) => {
      const found = await (window as WithAxe).axe?.run(place, { runOnly: tags });
      return (found?.violations ?? []).map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
      );
    },
    [within, TAGS] as const,
  );
}

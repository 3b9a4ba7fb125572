// The bars of the costs, as they are drawn.
import type { Page } from "@playwright/test";

const BARS = '[data-testid="cost-chart"] .recharts-bar-rectangle';

/** How high the bar of the last day stands, in pixels; 0 without one. */
export function heightOfToday(page: Page): Promise<number> {
  return page.evaluate((bars) => {
    const places = [...document.querySelectorAll(`${bars} path`)].map((path) =>
      path.getBoundingClientRect(),
    );
    const right = Math.max(...places.map((place) => place.right));
    return places
      .filter((place) => place.right === right)
      .reduce((sum, { height }) => sum + height, 0);
  }, BARS);
}

/** When the bar of today had grown, and how high it stood then. */
export interface Growth {
  at: number;
  height: number;
}

/** Notes each growth of the last bar with the moment at which it was painted, in `growths`. */
export async function watchToday(page: Page): Promise<void> {
  await page.evaluate((bars) => {
    const growths: Growth[] = [];
    Object.assign(window, { growths });
    let last = 0;
    const look = () => {
      const height = [...document.querySelectorAll(`${bars} path`)]
        .at(-1)
        ?.getBoundingClientRect().height;
      if (!height || height <= last) return;
      last = height;
      // The first frame draws it, and the second one begins when it has been shown.
      requestAnimationFrame(() =>
        requestAnimationFrame(() => growths.push({ at: Date.now(), height })),
      );
    };
    look();
    const chart = document.querySelector('[data-testid="cost-chart"]');
    if (!chart) throw new Error("There is no chart.");
    new MutationObserver(look).observe(chart, {
      subtree: true,
      childList: true,
      attributes: true,
    });
  }, BARS);
}

export function growthsOf(page: Page): Promise<Growth[]> {
  return page.evaluate(() => Reflect.get(window, "growths") as Growth[]);
}

// Whether a page fits on a phone, and can be used with a thumb.
import { expect, type Page } from "@playwright/test";

const LEAST = 44;
const TOUCHED = 'a[href], button, input:not([type="checkbox"]), select, textarea, [role="switch"]';

/** Expects that nothing scrolls sideways, and that what can be touched is large enough. */
export async function expectFits(page: Page, what: string): Promise<void> {
  expect(await sideways(page), `${what}: wider than the screen`).toEqual([]);
  expect(await small(page), `${what}: too small to touch`).toEqual([]);
}

/** What makes the page, or a dialog, scroll sideways; tables do so in a place of their own. */
function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('[role="dialog"] *, [role="dialog"]')]
      .filter((each) => {
        const isScrolled = ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
        const isTable = each.matches('[data-slot="table-container"], select, input, textarea');
        const canScroll = isScrolled || each === document.documentElement;
        return canScroll && !isTable && each.scrollWidth > each.clientWidth;
      })
      .map((each) => `${each.tagName} ${each.className}: ${each.scrollWidth}`),
  );
}

/** What reacts in less than 44 pixels around its middle, in the dialog that is open or the page. */
function small(page: Page): Promise<string[]> {
  return page.evaluate(
    ([touched, least]) => {
      const half = least / 2 - 1;
      const isSeen = (each: Element) =>
        each.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
        !each.closest(".sr-only, [inert]");
      const isHit = (each: Element, x: number, y: number) => {
        const hit = document.elementFromPoint(x, y);
        return each.contains(hit) || hit?.closest("label")?.htmlFor === each.id;
      };
      const isLarge = (each: Element) => {
        each.scrollIntoView({ block: "center", behavior: "instant" });
        const { left, top, width, height } = each.getBoundingClientRect();
        const [x, y] = [left + width / 2, top + height / 2];
        const isTall = isHit(each, x, y - half) && isHit(each, x, y + half);
        const isWide = isHit(each, x - half, y) && isHit(each, x + half, y);
        return isTall && (width >= least || isWide);
      };
      const dialog = [...document.querySelectorAll('[role="dialog"], [role="alertdialog"]')].at(-1);
      return [...(dialog ?? document).querySelectorAll(touched)]
        .filter((each) => isSeen(each) && !isLarge(each))
        .map((each) => {
          const { width, height } = each.getBoundingClientRect();
          const name = each.getAttribute("aria-label") ?? each.textContent?.trim();
          return `${each.tagName} ${name}: ${width} × ${height}`;
        });
    },
    [TOUCHED, LEAST] as const,
  );
}

// What comes over the network, how fast, and what moves when it comes.
import type { Page } from "@playwright/test";

/** How much of what is seen may move while the page loads. */
export const MOST_SHIFT = 0.02;

/** A slow network, for scripts and styles as for data, and nothing in the cache. */
export async function slowDown(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const bytesPerSecond = 1_600_000 / 8;
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: bytesPerSecond,
    uploadThroughput: bytesPerSecond / 2,
  });
}

/** Adds up what moves without somebody having done something. */
export async function watchShifts(page: Page): Promise<void> {
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
}

export function shiftOf(page: Page): Promise<number> {
  return page.evaluate(() => Reflect.get(window, "shift"));
}

/** What was fetched, compressed with gzip as the bars mean it. */
export interface Fetched {
  path: string;
  bytes: number;
}

/** Notes all that this origin sends, but for answers of the API. */
export async function watchTransfer(page: Page, origin: string): Promise<Fetched[]> {
  const fetched: Fetched[] = [];
  const paths = new Map<string, string>();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await session.send("Network.setExtraHTTPHeaders", { headers: { "Accept-Encoding": "gzip" } });
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    const { origin: from, pathname } = new URL(request.url);
    if (from === origin && !pathname.startsWith("/api/")) paths.set(requestId, pathname);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const path = paths.get(requestId);
    if (path) fetched.push({ path, bytes: encodedDataLength });
  });
  return fetched;
}

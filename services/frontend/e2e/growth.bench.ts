// How long it takes from an agent's call until the bar of today has grown in an open page.
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { growthsOf, watchToday } from "./support/chart";
import { Agent } from "./support/place";
import { expect, test } from "./support/test";

const ROUNDS = 40;
const STREAMED = 40;
const STREAM_EVERY_MS = 150;
// So much stands in the chart already that its scale does not change.
const BEFORE = 200;

test("from a call to the bar that has grown", async ({ page, organization, openBilling }) => {
  const agent = await Agent.of(organization.id);
  await agent.calls("openai", "gpt-5", { daysAgo: 1, times: BEFORE });
  await agent.calls("openai", "gpt-5");
  await organization.until("/costs/summary", (found) => found.record_count === BEFORE + 1);
  await openBilling();
  await expect(page.getByTestId("cost-chart")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await watchToday(page);
  await expect.poll(async () => (await growthsOf(page)).length).toBe(1);

  const single: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    await pause(1_000 * Math.random());
    const called = Date.now();
    await agent.calls("openai", "gpt-5");
    await page.waitForFunction((count) => Reflect.get(window, "growths").length > count, round);
    single.push(((await growthsOf(page))[round]?.at ?? Number.NaN) - called);
  }
  const streamed = await stream();
  agent.stop();
  const figures = { rounds: ROUNDS, ...percentiles("", single), ...percentiles("busy_", streamed) };
  writeFileSync(process.env.BENCH_REPORT ?? "/dev/stdout", JSON.stringify(figures));

  /** Calls that come faster than the page asks: each counts when the bar is as high as with it. */
  async function stream(): Promise<number[]> {
    const [first, ...others] = await growthsOf(page);
    const start = others.at(-1);
    if (!first || !start) throw new Error("Nothing has grown.");
    const each = (start.height - first.height) / ROUNDS;
    const calls: number[] = [];
    for (let number = 0; number < STREAMED; number++) {
      calls.push(Date.now());
      await agent.calls("openai", "gpt-5");
      await pause(STREAM_EVERY_MS);
    }
    const heightWith = (count: number) => start.height + each * (count - 0.5);
    const full = heightWith(STREAMED);
    await page.waitForFunction(
      (height) => Reflect.get(window, "growths").at(-1).height >= height,
      full,
    );
    const growths = await growthsOf(page);
    return calls.map((called, place) => {
      const grown = growths.find(({ height }) => height >= heightWith(place + 1));
      return (grown?.at ?? Number.NaN) - called;
    });
  }
});

function percentiles(prefix: string, latencies: number[]): Record<string, number | undefined> {
  const sorted = latencies.toSorted((a, b) => a - b);
  return {
    [`${prefix}p50_ms`]: sorted[Math.floor(sorted.length * 0.5)],
    [`${prefix}p95_ms`]: sorted[Math.floor(sorted.length * 0.95)],
  };
}

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { throttle } from "@/lib/throttle";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the first call is made at once, and many more become one at the end", () => {
  const call = vi.fn();
  const throttled = throttle(call, 500);
  for (let i = 0; i < 10; i += 1) throttled();
  expect(call).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(500);
  expect(call).toHaveBeenCalledTimes(2);
  vi.advanceTimersByTime(5000);
  expect(call).toHaveBeenCalledTimes(2);
});

test("what was canceled is not made up for", () => {
  const call = vi.fn();
  const throttled = throttle(call, 500);
  throttled();
  throttled();
  throttled.cancel();
  vi.advanceTimersByTime(5000);
  expect(call).toHaveBeenCalledTimes(1);
});

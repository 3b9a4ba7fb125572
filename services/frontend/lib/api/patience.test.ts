import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, messageOf } from "@/lib/api/errors";
import { patiently } from "@/lib/api/patience";

const pending = (seconds: number | null = 1) =>
  new ApiError(409, "pending", "This is still being worked on.", seconds);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("what is still being worked on is asked for again, when the server says", async () => {
  const ask = vi.fn().mockRejectedValueOnce(pending(3)).mockResolvedValueOnce("done");
  const answer = patiently(ask);
  await vi.advanceTimersByTimeAsync(2_900);
  expect(ask).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(200);
  expect(await answer).toBe("done");
});

test("patience has an end, and no wait is longer than a user's", async () => {
  const ask = vi.fn().mockRejectedValue(pending(3600));
  const failed = patiently(ask).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(messageOf(await failed)).toMatch(/longer than usual/);
  expect(ask.mock.calls.length).toBeGreaterThan(3);
  expect(ask.mock.calls.length).toBeLessThan(10);
});

test("a refusal is not asked for twice", async () => {
  const ask = vi.fn().mockRejectedValue(new ApiError(402, "card_declined", "Declined."));
  await expect(patiently(ask)).rejects.toThrow("Declined.");
  expect(ask).toHaveBeenCalledOnce();
});

test("words for programs become sentences for users", () => {
  const says = (code: string) => messageOf(new ApiError(409, code, "As the server puts it."));
  expect(says("idempotency_key_in_flight")).toMatch(/nothing is done twice/);
  expect(says("idempotency_key_reused")).toMatch(/Try again/);
  expect(says("preview_outdated")).toMatch(/counted anew/);
  expect(says("already_on_tier")).toBe("As the server puts it.");
});

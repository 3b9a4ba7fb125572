import { renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useBackAgain } from "@/hooks/useBackAgain";
import { useIntention } from "@/hooks/useIntention";
import { ApiError } from "@/lib/api/errors";

function keysOf(outcomes: (ApiError | null)[], what = () => "pay") {
  const { send } = renderHook(() => useIntention()).result.current;
  const keys: string[] = [];
  const next = async (key: string) => {
    keys.push(key);
    const outcome = outcomes[keys.length - 1];
    if (outcome) throw outcome;
  };
  return outcomes
    .reduce(
      (before, _each) => before.then(() => send(what(), next).catch(() => {})),
      Promise.resolve(),
    )
    .then(() => keys);
}

test.each([0, 429, 503, 504])("after %d the same key asks what became of it", async (status) => {
  const keys = await keysOf([new ApiError(status, "away", "Away."), null]);
  expect(keys[1]).toBe(keys[0]);
});

test("after a definite answer, yes or no, the next click is another intention", async () => {
  const keys = await keysOf([new ApiError(402, "card_declined", "Declined."), null, null]);
  expect(new Set(keys).size).toBe(3);
});

test("another thing that is wanted has another key", async () => {
  const wanted = ["10 dollars", "20 dollars"];
  const lost = new ApiError(0, "no_answer", "Away.");
  const keys = await keysOf([lost, null], () => wanted.shift() ?? "");
  expect(keys[1]).not.toBe(keys[0]);
});

test("a page that the browser kept is told that somebody is back", () => {
  const call = vi.fn();
  renderHook(() => useBackAgain(call));
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
  expect(call).not.toHaveBeenCalled();
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  expect(call).toHaveBeenCalledOnce();
});

import { onlineManager, useMutation, useQuery } from "@tanstack/react-query";
import { act, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { makeQueryClient } from "@/components/app/Providers";
import { ApiError } from "@/lib/api/errors";
import { runHook } from "@/mocks/render";

afterEach(() => onlineManager.setOnline(true));

test("without a network a click fails now, and does not happen by itself later", async () => {
  onlineManager.setOnline(false);
  const pay = vi.fn().mockRejectedValue(new ApiError(0, "no_answer", "Away."));
  const { result } = runHook(() => useMutation({ mutationFn: pay, meta: { showsErrors: true } }));
  act(() => result.current.mutate());
  await waitFor(() => expect(result.current.error?.message).toBe("Away."));
  act(() => onlineManager.setOnline(true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(pay).toHaveBeenCalledOnce();
});

test.each([
  [409, "already_on_tier", 2],
  [404, "payment_method_not_found", 2],
  [409, "pending", 1],
  [422, "too_much", 1],
])("after %i %s what is shown is asked for again, if that was old", async (status, code, times) => {
  const shown = vi.fn().mockResolvedValue("shown");
  const { result } = runHook(() => ({
    query: useQuery({ queryKey: ["billing", "credits", "acme"], queryFn: shown }),
    change: useMutation({
      mutationFn: () => Promise.reject(new ApiError(status, code, "No.")),
      meta: { showsErrors: true },
    }),
  }));
  await waitFor(() => expect(result.current.query.data).toBe("shown"));
  act(() => result.current.change.mutate());
  await waitFor(() => expect(result.current.change.isError).toBe(true));
  await waitFor(() => expect(shown).toHaveBeenCalledTimes(times));
});

test("a question is asked again once, unless the server wants it to wait for long", () => {
  const { retry } = makeQueryClient().getDefaultOptions().queries ?? {};
  if (typeof retry !== "function") throw new Error("There is no rule for retrying.");
  const after = (seconds: number | null) => new ApiError(503, "away", "Away.", seconds);
  expect(retry(0, after(null))).toBe(true);
  expect(retry(0, after(2))).toBe(true);
  expect(retry(1, after(2))).toBe(false);
  expect(retry(0, after(300))).toBe(false);
  expect(retry(0, new ApiError(404, "not_found", "No."))).toBe(false);
});

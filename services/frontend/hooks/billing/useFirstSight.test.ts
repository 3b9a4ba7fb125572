import { waitFor } from "@testing-library/react";
import { delay, http } from "msw";
import { expect, test } from "vitest";
import { useFirstSight } from "@/hooks/billing/useFirstSight";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";
import { runHook } from "@/mocks/render";

test("the page shows itself when its banners are known, or could not be known", async () => {
  server.use(http.get(`${ACCOUNT}/usage-summary`, () => refusal(404, "No.")));
  const { result } = runHook(() => useFirstSight("acme"));
  expect(result.current).toBe(false);
  await waitFor(() => expect(result.current).toBe(true));
});

test("it does not wait for what takes too long", async () => {
  server.use(http.get(`${ACCOUNT}/subscription`, () => delay("infinite")));
  const { result } = runHook(() => useFirstSight("acme"));
  await waitFor(() => expect(result.current).toBe(true), { timeout: 5_000 });
});

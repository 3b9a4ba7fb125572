import { waitFor } from "@testing-library/react";
import { delay, http } from "msw";
import { expect, test, vi } from "vitest";
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

test("a link's place is followed while the page grows, until the user goes elsewhere", async () => {
  let grow = () => {};
  const disconnect = vi.fn();
  vi.stubGlobal(
    "ResizeObserver",
    class {
      disconnect = disconnect;
      constructor(look: () => void) {
        grow = look;
      }
      observe() {}
    },
  );
  const place = document.createElement("div");
  place.id = "plans";
  place.scrollIntoView = vi.fn();
  document.body.append(place);
  window.history.replaceState(null, "", "#plans");
  runHook(() => useFirstSight("acme"));
  await waitFor(() => expect(place.scrollIntoView).toHaveBeenCalledOnce());
  grow();
  expect(place.scrollIntoView).toHaveBeenCalledTimes(2);
  window.dispatchEvent(new Event("wheel"));
  expect(disconnect).toHaveBeenCalledOnce();
  place.remove();
});

import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CheckoutOutcome } from "@/components/billing/CheckoutOutcome";
import type { CheckoutStateResponse } from "@/lib/billing/types";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

const STATE: CheckoutStateResponse = {
  session_id: "cs_1",
  kind: "credits",
  status: "complete",
  amount: 20,
  tier: null,
};

function answer(...states: Partial<CheckoutStateResponse>[]) {
  let asked = 0;
  server.use(
    http.get(`${ACCOUNT}/checkout/cs_1`, () => {
      const state = states[Math.min(asked, states.length - 1)];
      asked += 1;
      return HttpResponse.json({ ...STATE, ...state });
    }),
  );
}

beforeEach(() => {
  window.history.replaceState(null, "", "/billing/success?session_id=cs_1");
});

test("success is what the server says, and is waited for", async () => {
  answer({ status: "open" }, { status: "processing" }, { status: "complete" });
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText("Confirming your payment");
  expect(screen.queryByText("Payment received")).toBeNull();
  await screen.findByText("Payment received", {}, { timeout: 5000 });
  expect(screen.getByText("$20.00 of credits are yours to use.")).toBeVisible();
});

test.each<[Partial<CheckoutStateResponse>, string]>([
  [{ kind: "subscription", tier: "team" }, "You are on Team now. Its limits apply at once."],
  [{ kind: "lifetime", tier: "lifetime" }, "The lifetime plan is yours. Thank you."],
  [{ kind: "setup" }, "Your card is saved."],
  [{ status: "expired" }, "The payment page has expired. Nothing was charged."],
  [{ status: "failed" }, "Nothing was charged. Try again, perhaps with another card."],
])("%j is told as: %s", async (state, sentence) => {
  answer(state);
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText(sentence);
});

test("an address that names nothing claims nothing", async () => {
  window.history.replaceState(null, "", "/billing/success");
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText(/This address names no purchase/);
});

test("a purchase of somebody else is not known", async () => {
  server.use(http.get(`${ACCOUNT}/checkout/cs_1`, () => refusal(404, "No such purchase.")));
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText(/No such purchase/, {}, { timeout: 5000 });
});

test.each([
  ["away", () => refusal(503, "Away for a moment.")],
  ["late", () => refusal(504, "No answer came in time.")],
  ["not reached", () => HttpResponse.error()],
])("while the server is %s the payment is still being confirmed", async (_how, fail) => {
  let asked = 0;
  server.use(
    http.get(`${ACCOUNT}/checkout/cs_1`, () => {
      asked += 1;
      return asked < 3 ? fail() : HttpResponse.json(STATE);
    }),
  );
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText("Confirming your payment");
  await waitFor(() => expect(asked).toBe(2), { timeout: 5000 });
  expect(screen.getByText("Confirming your payment")).toBeVisible();
  await screen.findByText("Payment received", {}, { timeout: 5000 });
});

afterEach(() => {
  vi.useRealTimers();
});

test("what takes long says so, and is asked for less often", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let asked = 0;
  server.use(
    http.get(`${ACCOUNT}/checkout/cs_1`, () => {
      asked += 1;
      return HttpResponse.json({ ...STATE, status: "processing" });
    }),
  );
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText(/usually takes a few seconds/);
  await vi.advanceTimersByTimeAsync(31_000);
  await screen.findByText(/takes longer than usual/);
  const before = asked;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked - before).toBeGreaterThanOrEqual(2);
  expect(asked - before).toBeLessThanOrEqual(5);
});

test("a purchase that is not known is not asked for again", async () => {
  let asked = 0;
  server.use(
    http.get(`${ACCOUNT}/checkout/cs_1`, () => {
      asked += 1;
      return refusal(404, "No such purchase.");
    }),
  );
  renderSignedIn(<CheckoutOutcome />);
  await screen.findByText(/No such purchase/);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(asked).toBe(1);
  expect(screen.getByRole("link", { name: "Back to billing" })).toHaveAttribute(
    "href",
    expect.stringMatching(/^\/settings\/billing\/?\?org=acme$/),
  );
});

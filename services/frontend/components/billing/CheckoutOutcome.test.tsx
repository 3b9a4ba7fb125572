import { screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test } from "vitest";
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

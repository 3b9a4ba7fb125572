import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import PaymentMethodList from "@/components/billing/PaymentMethodList";
import { aPaymentMethod } from "@/mocks/examples";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

const stripe = vi.hoisted(() => ({ retrieveSetupIntent: vi.fn() }));

vi.mock("@/lib/billing/stripe", async (original) => ({
  ...(await original<typeof import("@/lib/billing/stripe")>()),
  getStripe: async () => stripe,
}));
vi.mock("@/components/billing/AddPaymentMethodForm", () => ({ default: () => <p>Card form</p> }));

const CONFIRMED = { setupIntent: { status: "succeeded", payment_method: "pm_9" } };
const asked: unknown[] = [];

/** Saving fails so often before it works. */
function comeBack({ failures = 0 } = {}) {
  asked.length = 0;
  server.use(
    http.post(`${ACCOUNT}/payment-method`, async ({ request }) => {
      asked.push(await request.json());
      return asked.length <= failures
        ? refusal(503, "Cards cannot be saved now.")
        : HttpResponse.json(aPaymentMethod({ id: "pm_9" }));
    }),
  );
  const back = "setup_intent=seti_1&setup_intent_client_secret=seti_1_secret&redirect_status=x";
  window.history.replaceState(null, "", `/settings/billing/?costs=7&${back}`);
  renderSignedIn(<PaymentMethodList />);
}

const refused = async () => {
  const title = await screen.findByText("Your card is not saved");
  return title.closest('[data-slot="alert"]') as HTMLElement;
};

beforeEach(() => {
  stripe.retrieveSetupIntent.mockReset().mockResolvedValue(CONFIRMED);
});

test("a card that the bank has confirmed is saved once, and the address forgets it", async () => {
  comeBack();
  await screen.findByText("Your card is saved.");
  expect(asked).toEqual([{ payment_method_id: "pm_9", set_as_default: true }]);
  expect(window.location.search).toBe("?costs=7");
  expect(screen.queryByText("Your card is not saved")).toBeNull();
});

test("a card that could not be saved says why until it is tried again", async () => {
  comeBack({ failures: 2 });
  const user = userEvent.setup();
  expect(await refused()).toHaveTextContent("Cards cannot be saved now.");
  expect(window.location.search).toBe("?costs=7");
  await user.click(within(await refused()).getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(asked).toHaveLength(2));
  expect(await refused()).toHaveTextContent("Cards cannot be saved now.");
  await user.click(within(await refused()).getByRole("button", { name: "Try again" }));
  await screen.findByText("Your card is saved.");
  await waitFor(() => expect(screen.queryByText("Your card is not saved")).toBeNull());
  expect(asked).toHaveLength(3);
});

test.each([
  [{ error: { type: "api_connection_error", message: "Stripe is away." } }, "Stripe is away."],
  [{ setupIntent: { status: "processing" } }, "This takes longer than usual."],
])("what Stripe cannot say now may be tried again: %o", async (answer, reason) => {
  stripe.retrieveSetupIntent.mockResolvedValueOnce(answer);
  comeBack();
  expect(await refused()).toHaveTextContent(reason);
  await userEvent.click(within(await refused()).getByRole("button", { name: "Try again" }));
  await screen.findByText("Your card is saved.");
});

test("what the bank did not confirm leads to another card", async () => {
  stripe.retrieveSetupIntent.mockResolvedValue({
    setupIntent: { status: "requires_payment_method" },
  });
  comeBack();
  expect(await refused()).toHaveTextContent("Your bank did not confirm the card.");
  await userEvent.click(within(await refused()).getByRole("button", { name: "Add another card" }));
  expect(await screen.findByText("Card form")).toBeVisible();
  expect(screen.queryByText("Your card is not saved")).toBeNull();
  expect(asked).toEqual([]);
});

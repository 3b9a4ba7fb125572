import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import PaymentMethodList from "@/components/billing/PaymentMethodList";
import { aConfig, aPaymentMethod, aSession } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

const MASTERCARD = aPaymentMethod({
  id: "pm_2",
  card_brand: "mastercard",
  card_last4: "4444",
  is_default: false,
});

function twoCards() {
  server.use(
    http.get(`${ACCOUNT}/payment-methods`, () => HttpResponse.json([aPaymentMethod(), MASTERCARD])),
  );
}

test("cards are listed, and the default one is named", async () => {
  twoCards();
  renderSignedIn(<PaymentMethodList />);
  const [first, second] = await screen.findAllByRole("listitem");
  expect(first).toHaveTextContent("Visa •••• 4242");
  expect(within(first as HTMLElement).getByText("Default")).toBeVisible();
  expect(second).toHaveTextContent("Mastercard");
  expect(within(second as HTMLElement).queryByText("Default")).toBeNull();
});

test("making another card the default shows at once, and is taken back when it is refused", async () => {
  twoCards();
  const asked: unknown[] = [];
  server.use(
    http.post(`${ACCOUNT}/payment-method`, async ({ request }) => {
      asked.push(await request.json());
      return refusal(404, "There is no such card.");
    }),
  );
  renderSignedIn(<PaymentMethodList />);
  const user = userEvent.setup();
  const name = "Make default: Mastercard ending in 4444";
  await user.click(await screen.findByRole("button", { name }));
  expect(await screen.findByText("There is no such card.")).toBeVisible();
  expect(asked).toEqual([{ payment_method_id: "pm_2", set_as_default: true }]);
  expect(await screen.findByRole("button", { name })).toBeVisible();
});

test("a card is removed after a question, and a refusal is told in the question", async () => {
  server.use(
    http.delete(`${ACCOUNT}/payment-methods/pm_1`, () =>
      refusal(409, "The last card stays while a paid plan runs."),
    ),
  );
  renderSignedIn(<PaymentMethodList />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Remove Visa ending in 4242" }));
  await user.click(await screen.findByRole("button", { name: "Remove card" }));
  const refused = await screen.findByText("The last card stays while a paid plan runs.");
  expect(refused).toHaveRole("alert");
  server.use(
    http.delete(`${ACCOUNT}/payment-methods/pm_1`, () =>
      HttpResponse.json({ status: "success", message: "Payment method removed" }),
    ),
  );
  await user.click(screen.getByRole("button", { name: "Remove card" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  // The button that led there is gone with the card.
  await waitFor(() =>
    expect(screen.getByRole("heading", { name: "Payment methods" })).toHaveFocus(),
  );
});

test("without a card it says what one is for, and without keys that none can be added", async () => {
  server.use(
    http.get(`${ACCOUNT}/payment-methods`, () => HttpResponse.json([])),
    http.get(`${API}/config`, () =>
      HttpResponse.json(aConfig({ publishable_key: null, is_configured: false })),
    ),
  );
  renderSignedIn(<PaymentMethodList />);
  expect(await screen.findByText("No card yet")).toBeVisible();
  await waitFor(() =>
    expect(screen.getByRole("button", { name: "Add card" })).toHaveAccessibleDescription(
      "Card payments are not configured here.",
    ),
  );
});

test("a viewer sees cards, and why they cannot be changed", async () => {
  const viewer = { organization_id: "acme", role: "viewer" as const };
  server.use(
    http.get(`${API}/session`, () => HttpResponse.json(aSession({ organizations: [viewer] }))),
  );
  renderSignedIn(<PaymentMethodList />);
  const remove = await screen.findByRole("button", { name: "Remove Visa ending in 4242" });
  expect(remove).toHaveAttribute("aria-disabled", "true");
  expect(remove).toHaveAccessibleDescription(/viewer of acme/);
});

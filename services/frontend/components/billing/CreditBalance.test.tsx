import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import CreditBalance from "@/components/billing/CreditBalance";
import { aCreditEntry, anAccount } from "@/mocks/examples";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

test("the balance stands beside what it is enough for, and what happened last", async () => {
  server.use(
    http.get(ACCOUNT, () => HttpResponse.json(anAccount({ credit_held: 10 }))),
    http.get(`${ACCOUNT}/credits`, () =>
      HttpResponse.json([
        aCreditEntry({ id: "entry_2", kind: "burned", amount: -10, description: "Invoice" }),
        aCreditEntry(),
      ]),
    ),
  );
  renderSignedIn(<CreditBalance />);
  expect(await screen.findByTestId("credit-balance")).toHaveTextContent("$25.00");
  expect(
    await screen.findByText(/Enough for 2 workflows.*\$10\.00 more is set aside/),
  ).toBeVisible();
  const list = await screen.findByRole("list", { name: "Credit activity" });
  expect(list).toHaveTextContent("Used Nov 20, 2026−$10.00");
  expect(list).toHaveTextContent("+$25.00");
});

test("an amount is checked before it is sent, and the server has the last word", async () => {
  const asked: unknown[] = [];
  server.use(
    http.post(`${ACCOUNT}/credits/checkout`, async ({ request }) => {
      asked.push(await request.json());
      return refusal(422, "`amount_usd` must be at most 1000.");
    }),
  );
  renderSignedIn(<CreditBalance />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Buy credits" }));
  const field = await screen.findByLabelText("Amount in dollars");
  await user.clear(field);
  await user.type(field, "1.999");
  await user.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("An amount has at most two decimals.")).toHaveRole("alert");
  expect(asked).toEqual([]);
  await user.clear(field);
  await user.type(field, "5000");
  await user.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("`amount_usd` must be at most 1000.")).toBeVisible();
  expect(asked).toMatchObject([{ amount_usd: 5000 }]);
});

test("buying leads to the hosted page, and names the pages that lead back", async () => {
  const assign = vi.spyOn(window.location, "assign").mockImplementation(() => {});
  const asked: Record<string, unknown>[] = [];
  server.use(
    http.post(`${ACCOUNT}/credits/checkout`, async ({ request }) => {
      asked.push((await request.json()) as Record<string, unknown>);
      return HttpResponse.json({ checkout_url: "http://stripe.test/pay", session_id: "cs_1" });
    }),
  );
  renderSignedIn(<CreditBalance />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Buy credits" }));
  await user.click(await screen.findByRole("button", { name: "$50" }));
  await user.click(screen.getByRole("button", { name: "Continue to payment" }));
  await vi.waitFor(() => expect(assign).toHaveBeenCalledWith("http://stripe.test/pay"));
  expect(asked[0]?.amount_usd).toBe(50);
  expect(asked[0]?.success_url).toContain("/billing/success?org=acme&session_id={CHECKOUT_");
});

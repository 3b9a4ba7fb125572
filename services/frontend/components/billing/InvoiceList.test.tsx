import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { delay, HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { LiveProvider } from "@/components/app/LiveProvider";
import InvoiceList from "@/components/billing/InvoiceList";
import { anInvoice, aPaymentMethod } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { ScriptedSource, scriptLive, setHidden } from "@/mocks/live";
import { renderSignedIn } from "@/mocks/render";

const NUMBER = anInvoice().invoice_number;

test("an open invoice shows its number, date, status and amount, and can be paid", async () => {
  renderSignedIn(<InvoiceList />);
  const table = await screen.findByRole("table", { name: "Invoices, newest first" });
  const row = within(table).getByRole("row", { name: new RegExp(NUMBER) });
  expect(row).toHaveTextContent("Nov 1, 2026");
  expect(row).toHaveTextContent("Open");
  expect(row).toHaveTextContent("Due Nov 8, 2026");
  expect(row).toHaveTextContent("$30.00");
  expect(within(row).getByRole("button", { name: `Pay ${NUMBER}` })).toBeVisible();
  const pdf = within(row).getByRole("link", { name: `Download ${NUMBER} as PDF` });
  expect(pdf).toHaveAttribute("href", "/api/billing/invoices/inv_1/pdf");
});

test("the status filter asks the server, and stands in the address", async () => {
  const asked: (string | null)[] = [];
  server.use(
    http.get(`${ACCOUNT}/invoices`, ({ request }) => {
      asked.push(new URL(request.url).searchParams.get("status"));
      return HttpResponse.json([]);
    }),
  );
  renderSignedIn(<InvoiceList />);
  expect(await screen.findByText("No invoices yet")).toBeVisible();
  const user = userEvent.setup();
  await user.selectOptions(screen.getByLabelText("Invoices by status"), "Past due");
  expect(await screen.findByText("None of these")).toBeVisible();
  expect(asked).toEqual([null, "past_due"]);
  expect(window.location.search).toBe("?status=past_due");
});

test("a failure is told in the section, and can be tried again", async () => {
  let isAway = true;
  server.use(
    http.get(`${ACCOUNT}/invoices`, () =>
      isAway ? refusal(500, "Invoices cannot be read now.") : HttpResponse.json([anInvoice()]),
    ),
  );
  renderSignedIn(<InvoiceList />);
  expect(await screen.findByText("Invoices cannot be read now.")).toBeVisible();
  isAway = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect((await screen.findAllByText(NUMBER)).length).toBeGreaterThan(0);
});

test("details show lines and sums as the server counted them", async () => {
  const full = anInvoice({
    discount_amount: 3,
    tax_amount: 2.7,
    total: 29.7,
    credits_applied: 9.7,
    amount_due: 20,
  });
  server.use(http.get(`${API}/invoices/inv_1`, () => HttpResponse.json(full)));
  renderSignedIn(<InvoiceList />);
  await userEvent.click((await screen.findAllByRole("button", { name: NUMBER }))[0] as HTMLElement);
  const dialog = await screen.findByRole("dialog", { name: NUMBER });
  await within(dialog).findByText("Workflows");
  for (const sum of ["-$3.00", "$2.70", "$29.70", "-$9.70", "$20.00"]) {
    expect(dialog).toHaveTextContent(sum);
  }
});

test.each([
  [0, false],
  [12.5, true],
])("details show what a bank disputes, if it does: %d", async (amount, isShown) => {
  const disputed = anInvoice({ status: "paid", amount_paid: 30, amount_disputed: amount });
  server.use(http.get(`${API}/invoices/inv_1`, () => HttpResponse.json(disputed)));
  renderSignedIn(<InvoiceList />);
  await userEvent.click((await screen.findAllByRole("button", { name: NUMBER }))[0] as HTMLElement);
  const dialog = await screen.findByRole("dialog", { name: NUMBER });
  await within(dialog).findByText("Workflows");
  expect(within(dialog).queryByText("Disputed") !== null).toBe(isShown);
  expect(within(dialog).queryByText("$12.50") !== null).toBe(isShown);
});

test("a declined card is told with its reason, and nothing is said to be paid", async () => {
  const asked: unknown[] = [];
  server.use(
    http.post(`${API}/invoices/inv_1/pay`, async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({
        status: "failed",
        failure_message: "Your card has insufficient funds.",
        client_secret: null,
      });
    }),
  );
  renderSignedIn(<InvoiceList />);
  const user = userEvent.setup();
  await user.click((await screen.findAllByRole("button", { name: `Pay ${NUMBER}` }))[0] as Element);
  await user.click(await screen.findByRole("button", { name: "Pay $30.00" }));
  expect(await screen.findByText("Your card has insufficient funds.")).toBeVisible();
  expect(asked).toEqual([{ payment_method_id: "pm_1" }]);
  expect(screen.queryByText("The invoice is paid.")).toBeNull();
});

test("the next invoice is shown before it is made", async () => {
  server.use(
    http.get(`${ACCOUNT}/invoices/upcoming`, () =>
      HttpResponse.json({ invoice: anInvoice({ status: "draft" }), carried: 0 }),
    ),
    http.post(`${ACCOUNT}/invoices/generate`, () => HttpResponse.json(anInvoice())),
    http.get(`${API}/invoices/inv_1`, () => HttpResponse.json(anInvoice())),
  );
  renderSignedIn(<InvoiceList />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Next invoice" }));
  await user.click(await screen.findByRole("button", { name: "Generate invoice now" }));
  expect(await screen.findByRole("dialog", { name: NUMBER })).toBeVisible();
  expect(window.location.search).toBe("?invoice=inv_1");
});

const PAID = { status: "succeeded", failure_message: null, client_secret: null };

test("an invoice that the click before has paid, whose answer was lost, is shown as paid", async () => {
  const keys: (string | null)[] = [];
  server.use(
    http.get(`${ACCOUNT}/payment-methods`, () =>
      HttpResponse.json([
        aPaymentMethod(),
        aPaymentMethod({ id: "pm_2", card_last4: "4444", is_default: false }),
      ]),
    ),
    http.post(`${API}/invoices/inv_1/pay`, ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      return keys.length === 1
        ? refusal(504, "No answer came in time.", "no_answer_in_time")
        : refusal(409, "This invoice is paid already.", "invoice_paid");
    }),
  );
  renderSignedIn(<InvoiceList />);
  const user = userEvent.setup();
  await user.click((await screen.findAllByRole("button", { name: `Pay ${NUMBER}` }))[0] as Element);
  await user.click(await screen.findByRole("button", { name: "Pay $30.00" }));
  await screen.findByText("No answer came in time.");
  await user.selectOptions(screen.getByLabelText("Pay with"), "pm_2");
  await user.click(screen.getByRole("button", { name: "Pay $30.00" }));
  expect(await screen.findByText("The invoice is paid.")).toBeVisible();
});

async function openPayDialog(page = <InvoiceList />) {
  renderSignedIn(page);
  const user = userEvent.setup();
  await user.click((await screen.findAllByRole("button", { name: `Pay ${NUMBER}` }))[0] as Element);
  await screen.findByRole("button", { name: "Pay $30.00" });
  return user;
}

/** What another tab has done meanwhile. */
function payElsewhere() {
  const paid = anInvoice({ status: "paid", amount_paid: 30, paid_at: "2026-11-02T09:00:00Z" });
  server.use(
    http.get(`${ACCOUNT}/invoices`, () => HttpResponse.json([paid])),
    http.get(`${API}/invoices/inv_1`, () => HttpResponse.json(paid)),
    http.post(`${API}/invoices/inv_1/pay`, () =>
      refusal(409, "This invoice is paid already.", "invoice_paid"),
    ),
  );
}

async function expectNothingToPay(user: ReturnType<typeof userEvent.setup>) {
  const dialog = await screen.findByRole("dialog", { name: "Nothing to pay" });
  expect(within(dialog).getByRole("alert")).toHaveTextContent("This invoice is paid already.");
  expect(within(dialog).getByRole("alert")).toHaveFocus();
  expect(screen.queryByRole("button", { name: /^Pay/ })).toBeNull();
  await user.click(within(dialog).getByRole("button", { name: "Done" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(await screen.findByRole("cell", { name: /^Paid/ })).toBeVisible();
}

test("who pays what another tab has paid is refused, and then shown that it is paid", async () => {
  const user = await openPayDialog();
  payElsewhere();
  await user.click(screen.getByRole("button", { name: "Pay $30.00" }));
  await expectNothingToPay(user);
});

test("what another tab pays while its dialog is open here is offered no more", async () => {
  setHidden(false);
  scriptLive();
  const user = await openPayDialog(
    <LiveProvider organization="acme">
      <InvoiceList />
    </LiveProvider>,
  );
  payElsewhere();
  act(() => ScriptedSource.opened[0]?.say("invoice_changed"));
  await expectNothingToPay(user);
});

test("while an invoice is being paid its dialog stays, and its outcome is told at once", async () => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let isListed = false;
  server.use(
    http.post(`${API}/invoices/inv_1/pay`, async () => {
      await answered;
      // What is asked again after it may take as long as it likes.
      server.use(
        http.get(`${ACCOUNT}/invoices`, async () => {
          isListed = true;
          await delay("infinite");
        }),
      );
      return HttpResponse.json(PAID);
    }),
  );
  renderSignedIn(<InvoiceList />);
  const user = userEvent.setup();
  await user.click((await screen.findAllByRole("button", { name: `Pay ${NUMBER}` }))[0] as Element);
  await user.click(await screen.findByRole("button", { name: "Pay $30.00" }));
  await user.keyboard("{Escape}");
  expect(screen.getByRole("dialog")).toBeVisible();
  expect(screen.getByRole("button", { name: "Close" })).toBeDisabled();
  answer();
  expect(await screen.findByText("The invoice is paid.")).toBeVisible();
  await waitFor(() => expect(isListed).toBe(true));
});

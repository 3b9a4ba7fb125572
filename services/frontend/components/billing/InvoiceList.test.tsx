import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import InvoiceList from "@/components/billing/InvoiceList";
import { anInvoice } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
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

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import BillingDetails from "@/components/billing/BillingDetails";
import { anAccount, aSession } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

const GIVEN = anAccount({
  buyer: {
    name: "Acme GmbH",
    address: {
      line1: "Hauptstraße 1",
      line2: null,
      city: "Berlin",
      state: null,
      postal_code: "10115",
      country: "DE",
    },
    tax_id: "DE123456789",
  },
  billing_email: "bills@acme.test",
  auto_billing_enabled: true,
  auto_billing_monthly_limit: 50,
});

function accountIs(account = GIVEN) {
  server.use(http.get(ACCOUNT, () => HttpResponse.json(account)));
}

async function openForm() {
  const user = userEvent.setup();
  await screen.findByText("Tax ID");
  await user.click(screen.getByRole("button", { name: "Edit billing details" }));
  const form = within(await screen.findByRole("dialog", { name: "Edit billing details" }));
  return { user, form, save: () => user.click(form.getByRole("button", { name: "Save" })) };
}

test("who invoices are made out to stands beside how far auto-billing goes", async () => {
  accountIs();
  renderSignedIn(<BillingDetails />);
  expect(await screen.findByText(/Acme GmbH/)).toHaveTextContent(
    "Acme GmbHHauptstraße 1 10115 Berlin DE",
  );
  expect(screen.getByText("DE123456789")).toBeVisible();
  expect(screen.getByText("bills@acme.test")).toBeVisible();
  expect(screen.getByText("On")).toBeVisible();
  expect(screen.getByText("$50.00 a month")).toBeVisible();
});

test("what is not given says so, and the organization stands for a name", async () => {
  renderSignedIn(<BillingDetails />);
  expect(await screen.findByText("acme")).toBeVisible();
  expect(screen.getAllByText("Not given")).toHaveLength(2);
  expect(screen.getByText("Off")).toBeVisible();
  expect(screen.queryByText("Monthly limit")).toBeNull();
});

test("what is edited is sent, and the answer is shown", async () => {
  const asked: unknown[] = [];
  server.use(
    http.patch(ACCOUNT, async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json(GIVEN);
    }),
  );
  renderSignedIn(<BillingDetails />);
  const { user, form, save } = await openForm();
  await user.type(form.getByLabelText("Name"), "Acme GmbH");
  await user.type(form.getByLabelText("Address line 1"), "Hauptstraße 1");
  await user.type(form.getByLabelText("City"), "Berlin");
  await user.type(form.getByLabelText("Postal code"), "10115");
  await save();
  expect(await form.findByRole("alert")).toHaveTextContent("two letters");
  const country = form.getByLabelText("Country, in two letters");
  expect(country).toHaveFocus();
  expect(country).toHaveAccessibleDescription(/two letters/);
  expect(asked).toEqual([]);
  await user.type(country, "de");
  await user.type(form.getByLabelText("Tax ID"), "DE123456789");
  await user.type(form.getByLabelText("Billing email"), "bills@acme.test");
  await user.click(form.getByRole("checkbox", { name: "Auto-billing" }));
  await user.type(form.getByLabelText("Monthly limit in dollars"), "50");
  await save();
  expect(await screen.findByText("Billing details are saved.")).toBeVisible();
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(await screen.findByText("$50.00 a month")).toBeVisible();
  expect(asked).toEqual([
    {
      buyer: GIVEN.buyer,
      billing_email: "bills@acme.test",
      auto_billing_enabled: true,
      auto_billing_monthly_limit: 50,
    },
  ]);
});

test("a refusal is told in the form, in the server's words, and goes with the next change", async () => {
  accountIs();
  const detail = "billing_email: must be an email address";
  server.use(http.patch(ACCOUNT, () => refusal(422, detail, "invalid_field")));
  renderSignedIn(<BillingDetails />);
  const { user, form, save } = await openForm();
  const email = form.getByLabelText("Billing email");
  await user.clear(email);
  await user.type(email, "nobody");
  await save();
  expect(await form.findByRole("alert")).toHaveTextContent(detail);
  expect(email).toHaveValue("nobody");
  await user.type(email, "@acme.test");
  expect(form.queryByRole("alert")).toBeNull();
});

test("auto-billing without a card says what it waits for", async () => {
  accountIs(anAccount({ has_payment_method: false, auto_billing_enabled: true }));
  renderSignedIn(<BillingDetails />);
  expect(await screen.findByText("It takes effect once there is a card to charge.")).toBeVisible();
  const { form } = await openForm();
  const automatic = form.getByRole("checkbox", { name: "Auto-billing" });
  expect(automatic).toBeChecked();
  expect(automatic).toHaveAccessibleDescription(/go on.*There is no card to charge yet/);
});

test("a viewer sees the details, and why they cannot be changed", async () => {
  accountIs();
  const viewer = { organization_id: "acme", role: "viewer" as const };
  server.use(
    http.get(`${API}/session`, () => HttpResponse.json(aSession({ organizations: [viewer] }))),
  );
  renderSignedIn(<BillingDetails />);
  expect(await screen.findByText("DE123456789")).toBeVisible();
  const edit = screen.getByRole("button", { name: "Edit billing details" });
  expect(edit).toHaveAttribute("aria-disabled", "true");
  expect(edit).toHaveAccessibleDescription(/viewer of acme/);
  await userEvent.setup().click(edit);
  expect(screen.queryByRole("dialog")).toBeNull();
});

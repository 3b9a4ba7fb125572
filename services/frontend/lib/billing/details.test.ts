import { expect, test } from "vitest";
import { addressLines, detailsOf, limitText, readDetails } from "@/lib/billing/details";
import { anAccount } from "@/mocks/examples";

const ADDRESS = {
  line1: "Hauptstraße 1",
  line2: null,
  city: "Berlin",
  state: null,
  postal_code: "10115",
  country: "DE",
};
const EMPTY = detailsOf(anAccount());
const GIVEN = detailsOf(
  anAccount({
    buyer: { name: "Acme GmbH", address: ADDRESS, tax_id: "DE123456789" },
    billing_email: "bills@acme.test",
    auto_billing_enabled: true,
    auto_billing_monthly_limit: 50,
  }),
);

test("an address reads as an invoice prints it", () => {
  expect(addressLines(null)).toEqual([]);
  expect(addressLines(ADDRESS)).toEqual(["Hauptstraße 1", "10115 Berlin", "DE"]);
  expect(
    addressLines({ ...ADDRESS, line2: "Floor 2", city: "Reno", state: "NV", country: "US" }),
  ).toEqual(["Hauptstraße 1", "Floor 2", "10115 Reno NV", "US"]);
});

test("a limit is dollars a month, or none", () => {
  expect(limitText(50)).toBe("$50.00 a month");
  expect(limitText(null)).toBe("None");
});

test("what was not touched is not sent", () => {
  expect(readDetails(GIVEN, GIVEN)).toEqual({ changes: {} });
  expect(readDetails({ ...GIVEN, billing_email: " new@acme.test " }, GIVEN)).toEqual({
    changes: { billing_email: "new@acme.test" },
  });
  expect(readDetails({ ...GIVEN, isAutomatic: false }, GIVEN)).toEqual({
    changes: { auto_billing_enabled: false },
  });
});

test("the buyer is sent as a whole, and what is emptied is taken away", () => {
  expect(readDetails({ ...GIVEN, tax_id: "", country: " de " }, GIVEN)).toEqual({
    changes: { buyer: { name: "Acme GmbH", tax_id: null, address: ADDRESS } },
  });
  const without = { ...GIVEN, line1: "", city: "", postal_code: " ", country: "" };
  expect(readDetails({ ...without, billing_email: "", limit: "" }, GIVEN)).toEqual({
    changes: {
      buyer: { name: "Acme GmbH", tax_id: "DE123456789", address: null },
      billing_email: null,
      auto_billing_monthly_limit: null,
    },
  });
});

test("an address is whole or empty", () => {
  expect(readDetails({ ...EMPTY, city: "Berlin" }, EMPTY)).toEqual({
    problem: { field: "line1", text: "An address needs its first line." },
  });
  for (const country of ["", "D", "DEU", "1a"]) {
    expect(readDetails({ ...EMPTY, line1: "Hauptstraße 1", country }, EMPTY)).toEqual({
      problem: { field: "country", text: "Enter two letters, such as US or DE." },
    });
  }
});

test("a limit is an amount, and is left alone while nothing is charged automatically", () => {
  const on = { ...EMPTY, isAutomatic: true };
  expect(readDetails({ ...on, limit: "$99.50" }, EMPTY)).toEqual({
    changes: { auto_billing_enabled: true, auto_billing_monthly_limit: 99.5 },
  });
  expect(readDetails({ ...on, limit: "many" }, EMPTY)).toEqual({
    problem: { field: "limit", text: "Enter an amount in dollars, such as 25." },
  });
  expect(readDetails({ ...EMPTY, limit: "many" }, EMPTY)).toEqual({ changes: {} });
});

test("what somebody else has changed of the buyer meanwhile stays", () => {
  const now = { ...GIVEN, city: "Hamburg", postal_code: "20095" };
  expect(readDetails({ ...GIVEN, tax_id: "DE999" }, GIVEN, now)).toEqual({
    changes: {
      buyer: {
        name: "Acme GmbH",
        tax_id: "DE999",
        address: { ...ADDRESS, city: "Hamburg", postal_code: "20095" },
      },
    },
  });
});

import { expect, test } from "vitest";
import { canManage, chooseMembership, tokenOfFragment, whyNot } from "@/lib/session";

const ACME = { organization_id: "acme", role: "viewer" } as const;
const GLOBEX = { organization_id: "globex", role: "owner" } as const;

test("the first wanted organization that the user belongs to is shown, or else any", () => {
  expect(chooseMembership([ACME, GLOBEX], [null, "initech", "globex"])).toBe(GLOBEX);
  expect(chooseMembership([ACME, GLOBEX], ["initech"])).toBe(ACME);
  expect(chooseMembership([], ["acme"])).toBeNull();
});

test("owners and billing admins change things, and everyone else is told why not", () => {
  expect(
    ["owner", "billing_admin", "member", "viewer"].map((role) => canManage(role as never)),
  ).toEqual([true, true, false, false]);
  expect(whyNot(ACME)).toContain("You are a viewer of acme");
});

test("a token in an address is taken on this machine only", () => {
  expect(tokenOfFragment("#token=abc.def", "127.0.0.1")).toBe("abc.def");
  expect(tokenOfFragment("#token=abc.def", "billing.example")).toBeNull();
  expect(tokenOfFragment("#plans", "localhost")).toBeNull();
});

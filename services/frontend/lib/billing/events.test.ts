import { expect, test } from "vitest";
import { parseEvent, TOPICS_OF, tellingOf } from "@/lib/billing/events";

const NOTICE = { kind: "payment_failed", severity: "critical", title: "Failed", text: "Pay." };

test("only events of ours are taken", () => {
  expect(parseEvent("plan_changed", '{"tier":"pro"}')).toEqual({
    name: "plan_changed",
    data: { tier: "pro" },
  });
  expect(parseEvent("message", "{}")).toBeNull();
  expect(parseEvent("plan_changed", "1")).toBeNull();
});

test("whatever may have been missed is asked again as a whole", () => {
  expect(TOPICS_OF.resync).toBe("all");
});

test("a notice is told, but not to who has just done it", () => {
  expect(tellingOf({ name: "notice_raised", data: NOTICE })).toMatchObject({ title: "Failed" });
  expect(
    tellingOf({ name: "notice_raised", data: { ...NOTICE, kind: "plan_changed" } }),
  ).toBeNull();
  expect(tellingOf({ name: "notice_raised", data: {} })).toBeNull();
  expect(tellingOf({ name: "costs_recorded", data: NOTICE })).toBeNull();
});

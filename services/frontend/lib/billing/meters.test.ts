import { expect, test } from "vitest";
import { gauge, gaugesOf, isOutOfWorkflows, reachedLimits } from "@/lib/billing/meters";
import { aSubscription } from "@/mocks/examples";

test.each([
  [79, 100, "normal", "21 left"],
  [80, 100, "warning", "20 left"],
  [100, 100, "danger", "Limit reached"],
  [104, 100, "danger", "4 over the limit"],
  [0, 0, "danger", "Limit reached"],
])("%d of %d is %s: %s", (used, limit, tone, hint) => {
  expect(gauge({ label: "Agents", used, limit })).toMatchObject({ tone, hint });
});

test("a meter without a limit says so", () => {
  const found = gauge({ label: "Agents", used: 12, limit: -1 });
  expect(found).toMatchObject({ text: "12 used", hint: "Unlimited", isUnlimited: true });
  expect(gauge({ label: "Workflows", used: 12, limit: -1, running: 3 }).hint).toBe(
    "3 running, unlimited",
  );
});

test("a unit is kept", () => {
  const [, , storage] = gaugesOf(aSubscription({ storage_used_gb: 12.3456 }));
  expect(storage).toMatchObject({ text: "12.35 GB of 50 GB", hint: "37.65 GB left" });
});

test("running workflows are taken, and told of", () => {
  const [workflows] = gaugesOf(
    aSubscription({ workflows_used: 70, workflows_reserved: 10, workflows_remaining: 20 }),
  );
  expect(workflows).toMatchObject({
    taken: 80,
    tone: "warning",
    text: "70 of 100",
    hint: "10 running, 20 left",
  });
});

test("what runs may be the last that the plan covers", () => {
  const full = aSubscription({ workflows_used: 98, workflows_reserved: 2, workflows_remaining: 0 });
  expect(gaugesOf(full)[0]).toMatchObject({ tone: "danger", hint: "2 running, limit reached" });
  expect(isOutOfWorkflows(full)).toBe(true);
  expect(isOutOfWorkflows(aSubscription())).toBe(false);
});

test("limits that are reached are named", () => {
  const full = aSubscription({ workflows_used: 100, workflows_remaining: 0, agents_used: 5 });
  expect(reachedLimits(full)).toEqual(["workflows", "agents"]);
});

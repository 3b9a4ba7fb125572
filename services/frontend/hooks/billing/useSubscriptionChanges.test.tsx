import { useQueryClient } from "@tanstack/react-query";
import { act, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { useSubscription } from "@/hooks/billing/useSubscription";
import {
  useCancelSubscription,
  useChangePlan,
  useChangePreview,
  useReactivateSubscription,
} from "@/hooks/billing/useSubscriptionChanges";
import { messageOf } from "@/lib/api/errors";
import { billingKeys } from "@/lib/billing/queries";
import { aPreview, aSubscription } from "@/mocks/examples";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";
import { runHook } from "@/mocks/render";

const DONE = { status: "success", message: "Done" };

test("a cancellation shows before it is confirmed, and is taken back when it is refused", async () => {
  let refuse = () => {};
  const refused = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  server.use(
    http.post(`${ACCOUNT}/subscription/cancel`, async () => {
      await refused;
      return refusal(409, "It ends already.");
    }),
  );
  const { result } = runHook(() => ({
    subscription: useSubscription("acme"),
    cancel: useCancelSubscription("acme"),
  }));
  await waitFor(() => expect(result.current.subscription.data).toBeDefined());
  act(() => result.current.cancel.mutate());
  await waitFor(() => expect(result.current.subscription.data?.cancel_at_period_end).toBe(true));
  refuse();
  await waitFor(() => expect(result.current.cancel.error?.message).toBe("It ends already."));
  expect(result.current.subscription.data?.cancel_at_period_end).toBe(false);
});

test("a retry is the same intention, and the next cancellation another one", async () => {
  const keys: (string | null)[] = [];
  server.use(
    http.post(`${ACCOUNT}/subscription/cancel`, ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      return keys.length === 1 ? refusal(503, "Away.") : HttpResponse.json(DONE);
    }),
  );
  const { result } = runHook(() => useCancelSubscription("acme"));
  for (let i = 1; i <= 3; i += 1) {
    act(() => result.current.mutate());
    await waitFor(() => {
      expect(keys).toHaveLength(i);
      expect(result.current.isPending).toBe(false);
    });
  }
  expect(keys[0]).toBe(keys[1]);
  expect(keys[2]).not.toBe(keys[1]);
});

test("a reactivation takes the end away", async () => {
  server.use(
    http.post(`${ACCOUNT}/subscription/reactivate`, () => HttpResponse.json(DONE)),
    http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription())),
  );
  const { result } = runHook(() => useReactivateSubscription("acme"));
  act(() => result.current.mutate());
  await waitFor(() => expect(result.current.isSuccess).toBe(true));
});

test("a change is made at the moment for which it was counted", async () => {
  let body: unknown;
  server.use(
    http.post(`${ACCOUNT}/subscription/preview`, () => HttpResponse.json(aPreview())),
    http.post(`${ACCOUNT}/subscription/change`, async ({ request }) => {
      body = await request.json();
      return HttpResponse.json(aSubscription({ tier: "team" }));
    }),
  );
  const onDone = vi.fn();
  const { result } = runHook(() => ({
    preview: useChangePreview("acme", "team"),
    change: useChangePlan("acme", onDone),
  }));
  await waitFor(() => expect(result.current.preview.data).toBeDefined());
  const preview = result.current.preview.data;
  if (!preview) throw new Error("There is no preview.");
  act(() => result.current.change.mutate(preview));
  await waitFor(() => expect(onDone).toHaveBeenCalledOnce());
  expect(body).toEqual({ tier: "team", proration_date: "2026-11-22T12:00:00Z" });
});

test("a first paid plan is bought on a hosted page that leads back to this site", async () => {
  let body: unknown;
  server.use(
    http.post(`${ACCOUNT}/subscription/checkout`, async ({ request }) => {
      body = await request.json();
      return HttpResponse.json({ checkout_url: "https://pay.example/cs_1", session_id: "cs_1" });
    }),
  );
  const assign = vi.spyOn(window.location, "assign").mockImplementation(() => {});
  const onDone = vi.fn();
  const { result } = runHook(() => useChangePlan("acme", onDone));
  act(() => result.current.mutate(aPreview({ kind: "checkout", to_tier: "pro" })));
  await waitFor(() => expect(assign).toHaveBeenCalledWith("https://pay.example/cs_1"));
  expect(body).toEqual({
    tier: "pro",
    success_url: `${window.location.origin}/billing/success?org=acme&session_id={CHECKOUT_SESSION_ID}`,
    cancel_url: `${window.location.origin}/billing/cancel?org=acme`,
  });
  expect(onDone).not.toHaveBeenCalled();
});

/** As after a resync, or every half a minute while there is no stream. */
function useInvalidateAll() {
  const queryClient = useQueryClient();
  return () => queryClient.invalidateQueries({ queryKey: billingKeys.all });
}

/** A dialog's two hooks; every preview counts another sum. */
function anUpgrade(...answers: (() => Response)[]) {
  const keys: (string | null)[] = [];
  const sent: unknown[] = [];
  let previews = 0;
  server.use(
    http.post(`${ACCOUNT}/subscription/preview`, () => {
      previews += 1;
      return HttpResponse.json(aPreview({ due_now: 80 + previews }));
    }),
    http.post(`${ACCOUNT}/subscription/change`, async ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      sent.push(await request.json());
      return answers[keys.length - 1]?.() ?? HttpResponse.json(aSubscription({ tier: "team" }));
    }),
  );
  const { result } = runHook(() => ({
    preview: useChangePreview("acme", "team"),
    change: useChangePlan("acme", () => {}),
    invalidate: useInvalidateAll(),
  }));
  const dueNow = () => result.current.preview.data?.due_now;
  const confirm = async () => {
    const { preview, change } = result.current;
    if (!preview.data) throw new Error("There is no preview.");
    const agreed = preview.data;
    await act(async () => {
      await change.mutateAsync(agreed).catch(() => {});
    });
  };
  return { keys, sent, result, dueNow, confirm, previews: () => previews };
}

test("after a decline an upgrade is another attempt, at a price that is counted anew", async () => {
  const upgrade = anUpgrade(() => refusal(402, "Your card was declined.", "card_declined"));
  await waitFor(() => expect(upgrade.dueNow()).toBe(81));
  await upgrade.confirm();
  await waitFor(() => expect(upgrade.dueNow()).toBe(82));
  await upgrade.confirm();
  await waitFor(() => expect(upgrade.result.current.change.isSuccess).toBe(true));
  expect(upgrade.keys).toHaveLength(2);
  expect(upgrade.keys[1]).not.toBe(upgrade.keys[0]);
});

test("after a lost answer an upgrade is the same attempt, at the same price", async () => {
  const upgrade = anUpgrade(() => refusal(504, "No answer came in time.", "no_answer_in_time"));
  await waitFor(() => expect(upgrade.dueNow()).toBe(81));
  await upgrade.confirm();
  await upgrade.confirm();
  expect(upgrade.keys[1]).toBe(upgrade.keys[0]);
  expect(upgrade.sent[1]).toEqual(upgrade.sent[0]);
  expect(upgrade.dueNow()).toBe(81);
});

test("a price that was counted too long ago is counted anew, and that is said", async () => {
  const upgrade = anUpgrade(() => refusal(409, "Moved on.", "preview_outdated"));
  await waitFor(() => expect(upgrade.dueNow()).toBe(81));
  await upgrade.confirm();
  await waitFor(() =>
    expect(messageOf(upgrade.result.current.change.error)).toMatch(/counted anew/),
  );
  await waitFor(() => expect(upgrade.dueNow()).toBe(82));
});

test("what is asked again around an open dialog leaves its price alone", async () => {
  const upgrade = anUpgrade();
  const { result } = upgrade;
  await waitFor(() => expect(upgrade.dueNow()).toBe(81));
  await act(() => result.current.invalidate());
  expect(upgrade.previews()).toBe(1);
});

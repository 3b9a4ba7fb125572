import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { ApiError, messageOf, sentenceFor } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { ACCOUNT, refusal, server } from "@/mocks/gateway";

async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

test("an answer is its data", async () => {
  const account = await billingApi.getBillingAccount("acme");
  expect(account.credit_balance).toBe(25);
});

test("a refusal carries the server's own sentence, word and wait", async () => {
  server.use(
    http.post(`${ACCOUNT}/portal`, () =>
      HttpResponse.json(
        { detail: "Too many pages.", status_code: 429, code: "rate_limited" },
        { status: 429, headers: { "Retry-After": "7" } },
      ),
    ),
  );
  const error = await failureOf(billingApi.openPortal("acme"));
  expect(error).toMatchObject({ status: 429, code: "rate_limited", retryAfterSeconds: 7 });
  expect(messageOf(error)).toBe("Too many pages.");
  expect(error.isTemporary).toBe(true);
});

test("an answer that is not ours has a sentence nevertheless", async () => {
  server.use(http.get(ACCOUNT, () => new HttpResponse("<html>", { status: 502 })));
  const error = await failureOf(billingApi.getBillingAccount("acme"));
  expect(error.message).toBe(sentenceFor(502));
});

test("no answer at all is an error like the others", async () => {
  server.use(http.get(ACCOUNT, () => HttpResponse.error()));
  const error = await failureOf(billingApi.getBillingAccount("acme"));
  expect(error).toMatchObject({ status: 0, code: "no_answer" });
});

test("a request that the network has swallowed ends, too", async () => {
  vi.useFakeTimers();
  vi.spyOn(globalThis, "fetch").mockReturnValue(new Promise(() => {}));
  const failed = failureOf(billingApi.getBillingAccount("acme"));
  await vi.advanceTimersByTimeAsync(61_000);
  vi.useRealTimers();
  expect(await failed).toMatchObject({ status: 0, code: "no_answer" });
});

test("a list says where its next page begins", async () => {
  server.use(
    http.get(`${ACCOUNT}/credits`, ({ request }) => {
      const isFirst = !new URL(request.url).searchParams.has("cursor");
      const link = '</api/billing/account/acme/credits?limit=20&cursor=abc%3D>; rel="next"';
      return HttpResponse.json([], { headers: isFirst ? { Link: link } : {} });
    }),
  );
  const first = await billingApi.listCredits("acme");
  expect(first.nextCursor).toBe("abc=");
  expect((await billingApi.listCredits("acme", "abc=")).nextCursor).toBeNull();
});

test("a POST carries the key of the user's intention", async () => {
  let key: string | null = null;
  server.use(
    http.post(`${ACCOUNT}/subscription/cancel`, ({ request }) => {
      key = request.headers.get("Idempotency-Key");
      return HttpResponse.json({ status: "success", message: "Subscription canceled" });
    }),
  );
  await billingApi.cancelSubscription("acme", "intention-1");
  expect(key).toBe("intention-1");
});

test("what was thrown by mistake is told without its details", () => {
  expect(messageOf(new TypeError("x is undefined"))).toBe(sentenceFor(500));
  server.use(http.get(ACCOUNT, () => refusal(404, "No.")));
});

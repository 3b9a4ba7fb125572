import { screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { afterEach, expect, test, vi } from "vitest";
import { useSession } from "@/components/app/SessionProvider";
import { useBillingAccount } from "@/hooks/billing/useBillingAccount";
import { useNewDay } from "@/hooks/billing/useNewDay";
import { anAccount, aSession } from "@/mocks/examples";
import { ACCOUNT, API, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

afterEach(() => {
  vi.useRealTimers();
});

function Balance() {
  useNewDay();
  return useBillingAccount(useSession().organizationId).data?.credit_balance;
}

test("what may have begun anew with the day is asked for again", async () => {
  const evening = new Date("2026-11-30T23:59:50Z");
  vi.useFakeTimers({ now: evening, shouldAdvanceTime: true });
  let asked = 0;
  server.use(
    http.get(`${API}/session`, () => HttpResponse.json(aSession({ now: evening.toISOString() }))),
    http.get(ACCOUNT, () => HttpResponse.json(anAccount({ credit_balance: ++asked }))),
  );
  renderSignedIn(<Balance />);
  await screen.findByText("1");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(30_000);
  await waitFor(() => expect(asked).toBe(2));
});

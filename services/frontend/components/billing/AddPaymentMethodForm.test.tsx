import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { type ReactNode, useEffect } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { LiveProvider } from "@/components/app/LiveProvider";
import AddPaymentMethodForm from "@/components/billing/AddPaymentMethodForm";
import { aPaymentMethod } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { ScriptedSource, scriptLive, setHidden } from "@/mocks/live";
import { renderSignedIn } from "@/mocks/render";

const stripe = vi.hoisted(() => ({ confirmSetup: vi.fn(), fails: false }));

vi.mock("@/lib/billing/stripe", async (original) => ({
  ...(await original<typeof import("@/lib/billing/stripe")>()),
  getStripe: async () => stripe,
}));
vi.mock("@stripe/react-stripe-js", () => ({
  Elements: ({ children }: { children: ReactNode }) => children,
  useStripe: () => stripe,
  useElements: () => ({}),
  PaymentElement: ({ onReady, onLoadError }: Record<string, (event?: unknown) => void>) => {
    useEffect(() => {
      if (stripe.fails) onLoadError?.({ error: { message: "Stripe is away." } });
      else onReady?.();
    }, [onReady, onLoadError]);
    return <p>Card form</p>;
  },
}));

let intents = 0;

beforeEach(() => {
  intents = 0;
  stripe.fails = false;
  stripe.confirmSetup.mockReset().mockResolvedValue({ setupIntent: { payment_method: "pm_9" } });
  server.use(
    http.post(`${ACCOUNT}/setup-intent`, () => {
      intents += 1;
      return HttpResponse.json({
        setup_intent_id: `seti_${intents}`,
        client_secret: `seti_${intents}_secret`,
      });
    }),
  );
});

test("an open form keeps its intent, whatever is asked again around it", async () => {
  setHidden(false);
  scriptLive();
  const accounts = vi.fn(() => HttpResponse.json([aPaymentMethod()]));
  server.use(http.get(`${ACCOUNT}/payment-methods`, accounts));
  renderSignedIn(
    <LiveProvider organization="acme">
      <AddPaymentMethodForm onClose={() => {}} />
    </LiveProvider>,
  );
  await screen.findByText("Card form");
  await waitFor(() => expect(ScriptedSource.opened).toHaveLength(1));
  act(() => ScriptedSource.opened[0]?.say("payment_methods_changed"));
  act(() => ScriptedSource.opened[0]?.say("resync", { reason: "events_missed" }));
  act(() => setHidden(true));
  act(() => setHidden(false));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(intents).toBe(1);
});

test("a card that is confirmed but not saved is saved by the next click, without Stripe", async () => {
  const asked: unknown[] = [];
  server.use(
    http.post(`${ACCOUNT}/payment-method`, async ({ request }) => {
      asked.push(await request.json());
      return asked.length === 1
        ? refusal(503, "Cards cannot be saved now.")
        : HttpResponse.json(aPaymentMethod({ id: "pm_9" }));
    }),
  );
  const onClose = vi.fn();
  renderSignedIn(<AddPaymentMethodForm onClose={onClose} />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Save card" }));
  expect(await screen.findByText("Cards cannot be saved now.")).toBeVisible();
  expect(screen.getByText(/Your bank has confirmed the card/)).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Save card" }));
  await waitFor(() => expect(onClose).toHaveBeenCalledOnce());
  expect(stripe.confirmSetup).toHaveBeenCalledOnce();
  expect(asked).toEqual([
    { payment_method_id: "pm_9", set_as_default: true },
    { payment_method_id: "pm_9", set_as_default: true },
  ]);
});

test("while a card is being saved its dialog stays", async () => {
  let answer = () => {};
  stripe.confirmSetup.mockReturnValue(
    new Promise((resolve) => {
      answer = () => resolve({ error: { message: "Your card was declined." } });
    }),
  );
  const onClose = vi.fn();
  renderSignedIn(<AddPaymentMethodForm onClose={onClose} />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Save card" }));
  await user.keyboard("{Escape}");
  expect(screen.getByRole("button", { name: "Not now" })).toBeDisabled();
  expect(onClose).not.toHaveBeenCalled();
  answer();
  expect(await screen.findByText("Your card was declined.")).toHaveRole("alert");
  await user.keyboard("{Escape}");
  expect(onClose).toHaveBeenCalledOnce();
});

test("a form of Stripe's that does not load says so, and is begun anew", async () => {
  stripe.fails = true;
  renderSignedIn(<AddPaymentMethodForm onClose={() => {}} />);
  expect(await screen.findByText("Stripe is away.")).toBeVisible();
  stripe.fails = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Card form")).toBeVisible();
  expect(intents).toBe(2);
});

test("settings that cannot be read are told, and asked for again", async () => {
  server.use(http.get(`${API}/config`, () => refusal(404, "No settings."), { once: true }));
  renderSignedIn(<AddPaymentMethodForm onClose={() => {}} />);
  expect(await screen.findByText("No settings.")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Card form")).toBeVisible();
});

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test, vi } from "vitest";
import { Banners } from "@/components/billing/Banners";
import { PortalButton } from "@/components/billing/PortalButton";
import PricingTable from "@/components/billing/PricingTable";
import { SubscriptionCard } from "@/components/billing/SubscriptionCard";
import { UsageCard } from "@/components/billing/UsageCard";
import type {
  BillingAccountResponse,
  SubscriptionResponse,
  UsageSummaryResponse,
} from "@/lib/billing/types";
import { anAccount, aPreview, aSession, aSubscription, aUsageSummary } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

interface Given {
  account?: Partial<BillingAccountResponse>;
  subscription?: Partial<SubscriptionResponse>;
  usage?: Partial<UsageSummaryResponse>;
}

function given({ account, subscription, usage }: Given) {
  server.use(
    http.get(ACCOUNT, () => HttpResponse.json(anAccount(account))),
    http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription(subscription))),
    http.get(`${ACCOUNT}/usage-summary`, () => HttpResponse.json(aUsageSummary(usage))),
  );
}

test("the card shows plan, price, state and period", async () => {
  renderSignedIn(<SubscriptionCard />);
  const card = await screen.findByRole("region", { name: "Current plan" });
  expect(await within(card).findByText("Pro")).toBeVisible();
  for (const text of ["Active", "$79", "Renews on Dec 3, 2026", "Nov 3, 2026 – Dec 3, 2026"]) {
    expect(within(card).getByText(text)).toBeVisible();
  }
});

test("a section that fails says so in the server's words, and can be tried again", async () => {
  server.use(
    http.get(`${ACCOUNT}/subscription`, () => refusal(404, "Plans are away."), { once: true }),
  );
  renderSignedIn(<SubscriptionCard />);
  expect(await screen.findByRole("alert")).toHaveTextContent("Plans are away.");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText("Pro");
});

test("a free plan leads to the others and cannot be canceled", async () => {
  given({ subscription: { tier: "free", price: 0 } });
  renderSignedIn(<SubscriptionCard />);
  expect(await screen.findByRole("link", { name: "Upgrade" })).toHaveAttribute("href", "#plans");
  expect(screen.queryByRole("button", { name: "Cancel plan" })).toBeNull();
});

test("canceling says when the plan ends, and then it can be reactivated", async () => {
  renderSignedIn(<SubscriptionCard />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  const dialog = await screen.findByRole("alertdialog");
  expect(dialog).toHaveTextContent("It stays as it is until Dec 3, 2026");
  server.use(
    http.post(`${ACCOUNT}/subscription/cancel`, () => {
      given({ subscription: { cancel_at_period_end: true } });
      return HttpResponse.json({ status: "success", message: "Subscription canceled" });
    }),
  );
  await userEvent.click(within(dialog).getByRole("button", { name: "Cancel plan" }));
  await screen.findByRole("button", { name: "Reactivate" });
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
});

test("a refused cancellation is told in the dialog", async () => {
  server.use(http.post(`${ACCOUNT}/subscription/cancel`, () => refusal(409, "It ends already.")));
  renderSignedIn(<SubscriptionCard />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  const dialog = await screen.findByRole("alertdialog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Cancel plan" }));
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("It ends already.");
});

test("meters say in words what they show", async () => {
  given({
    subscription: {
      workflows_used: 98,
      workflows_reserved: 2,
      workflows_remaining: 0,
      agents_used: 4,
      storage_used_gb: 1,
    },
  });
  renderSignedIn(<UsageCard />);
  const [workflows, agents, storage] = await screen.findAllByRole("meter");
  expect(workflows).toHaveAttribute("aria-valuetext", "98 of 100, 2 running, limit reached");
  expect(agents).toHaveAttribute("data-tone", "warning");
  expect(storage).toHaveAttribute("data-tone", "normal");
  expect(screen.getByText("Almost used up: 1 left")).toBeVisible();
  expect(screen.getByRole("link", { name: "See plans" })).toBeVisible();
  await screen.findByText(/5 free workflows left until Dec 1, 2026. Beyond that, \$10.00 each./);
});

test("usage that failed to load says so once, and nothing stands below it", async () => {
  server.use(
    http.get(`${ACCOUNT}/subscription`, () => refusal(500, "Usage cannot be read."), {
      once: true,
    }),
  );
  renderSignedIn(<UsageCard />);
  const card = (await screen.findByRole("alert")).parentElement;
  expect(card).toHaveTextContent(/^Usage cannot be read\.Try again$/);
  expect(card?.children).toHaveLength(1);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText(/5 free workflows left/);
});

test("free workflows that could not be read are told of below the usage, and read again", async () => {
  server.use(http.get(`${ACCOUNT}/usage-summary`, () => refusal(500, "Away."), { once: true }));
  renderSignedIn(<UsageCard />);
  expect(await screen.findByRole("alert")).toHaveTextContent(
    "The free workflows could not be read.",
  );
  expect(screen.getAllByRole("meter")).toHaveLength(3);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByText(/5 free workflows left/);
});

test.each<[string, Given, RegExp]>([
  [
    "a failed payment",
    { subscription: { status: "past_due", grace_ends_at: "2026-11-29T00:00:00Z" } },
    /goes on until Nov 29, 2026/,
  ],
  ["a failed payment without grace", { subscription: { status: "past_due" } }, /Update your card/],
  ["a suspension", { subscription: { suspended: true } }, /No workflow can start/],
  ["credits that are owed", { account: { credit_debt: 12 } }, /\$12.00 of credits are owed/],
  [
    "a limit",
    { subscription: { workflows_used: 100, workflows_remaining: 0 } },
    /reached your limit of workflows/,
  ],
  [
    "that no workflow can start, though no limit is reached",
    { usage: { can_execute: false, reason: "The monthly limit of auto-billing is reached." } },
    /limit of auto-billing is reached/,
  ],
  [
    "what stands in the way",
    {
      subscription: { agents_used: 5 },
      usage: { can_execute: false, reason: "Add a card first." },
    },
    /Add a card first/,
  ],
])("%s is told with the way out", async (_what, state, text) => {
  given(state);
  renderSignedIn(<Banners />);
  expect(await screen.findByText(text)).toBeVisible();
  expect(screen.getAllByRole("link").length).toBeGreaterThan(0);
});

test("plans are compared, the current one is marked, and an upgrade says what it costs", async () => {
  server.use(http.post(`${ACCOUNT}/subscription/preview`, () => HttpResponse.json(aPreview())));
  renderSignedIn(<PricingTable />);
  const team = await screen.findByRole("button", { name: "Upgrade to Team" });
  expect(screen.getByRole("button", { name: "Current plan" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  expect(screen.getByText(/Made to measure: ask your contact/)).toBeVisible();
  await userEvent.click(team);
  const dialog = await screen.findByRole("dialog");
  await within(dialog).findByRole("button", { name: "Pay $80.00 and upgrade" });
  expect(dialog).toHaveTextContent("$80.00 is charged now, and the new limits apply at once.");
  expect(dialog).toHaveTextContent("Credit for unused time-$53.20");
  expect(dialog).toHaveTextContent("Charge for the rest of this period$133.20");
  expect(dialog).toHaveTextContent("Each month from Dec 3, 2026$199.00");
});

test("a downgrade warns of what will not fit, and a refusal stays in the dialog", async () => {
  server.use(
    http.post(`${ACCOUNT}/subscription/preview`, () =>
      HttpResponse.json(
        aPreview({
          kind: "downgrade",
          to_tier: "starter",
          due_now: 0,
          next_period: 29,
          takes_effect_at: "2026-12-03T00:00:00Z",
          warnings: [{ resource: "agents", used: 5, limit: 2, detail: "3 agents too many." }],
        }),
      ),
    ),
    http.post(`${ACCOUNT}/subscription/change`, () => refusal(409, "Look again.")),
  );
  renderSignedIn(<PricingTable />);
  await userEvent.click(await screen.findByRole("button", { name: "Switch to Starter" }));
  const dialog = await screen.findByRole("dialog");
  await within(dialog).findByText("3 agents too many.");
  await userEvent.click(within(dialog).getByRole("button", { name: "Downgrade" }));
  expect(await within(dialog).findByText("Look again.")).toBeVisible();
});

test("an upgrade that another tab has made is refused, shown, and not offered again", async () => {
  const already = () =>
    refusal(409, "The organization is on this plan already.", "already_on_tier");
  server.use(http.post(`${ACCOUNT}/subscription/preview`, () => HttpResponse.json(aPreview())));
  renderSignedIn(
    <>
      <SubscriptionCard />
      <PricingTable />
    </>,
  );
  await userEvent.click(await screen.findByRole("button", { name: "Upgrade to Team" }));
  const dialog = await screen.findByRole("dialog");
  const upgrade = () => within(dialog).findByRole("button", { name: "Pay $80.00 and upgrade" });
  await upgrade();
  given({ subscription: { tier: "team" } });
  server.use(
    http.post(`${ACCOUNT}/subscription/change`, already),
    http.post(`${ACCOUNT}/subscription/preview`, already),
  );
  await userEvent.click(await upgrade());
  expect(await within(dialog).findByRole("alert")).toHaveTextContent(/on this plan already/);
  await waitFor(async () =>
    expect(await upgrade()).toHaveAccessibleDescription(/on this plan already/),
  );
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(screen.getByTestId("tier")).toHaveTextContent("Team"));
});

test("a change that waits can be taken back", async () => {
  given({
    subscription: { pending_tier: "starter", pending_change_at: "2026-12-03T00:00:00Z", price: 29 },
  });
  server.use(
    http.post(`${ACCOUNT}/subscription/preview`, () =>
      HttpResponse.json(aPreview({ kind: "keep", to_tier: "pro", due_now: 0 })),
    ),
    http.post(`${ACCOUNT}/subscription/change`, () => HttpResponse.json(aSubscription())),
  );
  renderSignedIn(<SubscriptionCard />);
  await screen.findByText("Changes to Starter on Dec 3, 2026");
  expect(screen.getByText("$79")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Keep Pro" }));
  await userEvent.click(await screen.findByRole("button", { name: "Keep plan" }));
  await screen.findByText("You stay on Pro.");
});

test("the portal opens in this tab", async () => {
  server.use(
    http.post(`${ACCOUNT}/portal`, () =>
      HttpResponse.json({ portal_url: "https://portal.example/" }),
    ),
  );
  const assign = vi.spyOn(window.location, "assign").mockImplementation(() => {});
  renderSignedIn(<PortalButton />);
  await userEvent.click(await screen.findByRole("button", { name: "Customer portal" }));
  await waitFor(() => expect(assign).toHaveBeenCalledWith("https://portal.example/"));
});

test("a portal that does not open is told", async () => {
  server.use(http.post(`${ACCOUNT}/portal`, () => refusal(503, "Stripe is away.")));
  renderSignedIn(<PortalButton />);
  await userEvent.click(await screen.findByRole("button", { name: "Customer portal" }));
  await screen.findByText("Stripe is away.");
});

test("a member sees all of it and can change nothing", async () => {
  server.use(
    http.get(`${API}/session`, () =>
      HttpResponse.json(aSession({ organizations: [{ organization_id: "acme", role: "member" }] })),
    ),
  );
  renderSignedIn(<SubscriptionCard />);
  const button = await screen.findByRole("button", { name: "Cancel plan" });
  await userEvent.click(button);
  expect(screen.queryByRole("alertdialog")).toBeNull();
  expect(button).toHaveAccessibleDescription(/You are a member of acme/);
});

test("only a limit of workflows says what further workflows are", async () => {
  given({ subscription: { agents_used: 5 } });
  renderSignedIn(<Banners />);
  await screen.findByText("You have reached your limit of agents");
  expect(screen.queryByText(/Further workflows/)).toBeNull();
});

test("a limit of workflows says what the next one is", async () => {
  given({ subscription: { workflows_used: 100, workflows_remaining: 0 } });
  renderSignedIn(<Banners />);
  await screen.findByText("Further workflows are $10.00 each.");
});

test("a plan that cannot be changed turns the others off, and says why", async () => {
  given({ subscription: { tier: "team", price: null } });
  renderSignedIn(<PricingTable />);
  const pro = await screen.findByRole("button", { name: /Pro$/ });
  expect(pro).toHaveAttribute("aria-disabled", "true");
  expect(pro).toHaveAccessibleDescription(/set up by us/);
  expect(await screen.findByRole("button", { name: "Get lifetime" })).toHaveAccessibleDescription(
    /set up by us/,
  );
});

test("a plan that is paused is bought anew", async () => {
  given({ subscription: { status: "paused" } });
  server.use(
    http.post(`${ACCOUNT}/subscription/preview`, () =>
      HttpResponse.json(aPreview({ kind: "checkout", to_tier: "pro", due_now: 79 })),
    ),
  );
  renderSignedIn(<PricingTable />);
  await userEvent.click(await screen.findByRole("button", { name: "Start Pro again" }));
  await screen.findByRole("dialog", { name: "Start Pro again?" });
  await screen.findByRole("button", { name: "Continue to payment" });
});

test("plans are compared even if nobody knows the current one, which is said", async () => {
  server.use(http.get(`${ACCOUNT}/subscription`, () => refusal(500, "Away.")));
  renderSignedIn(<PricingTable />);
  await screen.findByText("Which plan you have could not be loaded");
  expect(screen.getByText("Team")).toBeVisible();
  given({});
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByRole("button", { name: "Upgrade to Team" });
});

test("what a coming plan will not fit is told beside it", async () => {
  const detail = "5 agents are in use; Starter includes 2.";
  given({
    subscription: {
      pending_tier: "starter",
      pending_change_at: "2026-12-03T00:00:00Z",
      warnings: [{ resource: "agents", used: 5, limit: 2, detail }],
    },
  });
  renderSignedIn(<SubscriptionCard />);
  expect(await screen.findByText(detail)).toBeVisible();
});

test("after a plan is canceled the focus is where the button was", async () => {
  server.use(
    http.post(`${ACCOUNT}/subscription/cancel`, () => {
      given({ subscription: { cancel_at_period_end: true } });
      return HttpResponse.json({ status: "success", message: "Subscription canceled" });
    }),
  );
  renderSignedIn(<SubscriptionCard />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  const dialog = await screen.findByRole("alertdialog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Cancel plan" }));
  await waitFor(() => expect(screen.getByRole("heading", { name: "Current plan" })).toHaveFocus());
});

test("days of a trial are counted by the server's clock", async () => {
  const now = new Date(Date.now() + 40 * 86_400_000);
  const trial_end = new Date(now.getTime() + 2.5 * 86_400_000).toISOString();
  server.use(
    http.get(`${API}/session`, () => HttpResponse.json(aSession({ now: now.toISOString() }))),
  );
  given({ subscription: { status: "trialing", trial_end } });
  renderSignedIn(<SubscriptionCard />);
  expect(await screen.findByText("3 days left")).toBeVisible();
});

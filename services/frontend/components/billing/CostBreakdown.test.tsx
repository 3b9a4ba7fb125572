import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { delay, HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import CostBreakdown from "@/components/billing/CostBreakdown";
import { dayOf } from "@/lib/billing/costs";
import { aCostSummary, aDailyCost, aSession } from "@/mocks/examples";
import { ACCOUNT, API, refusal, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

// Drawn in a real browser in e2e: here nothing has a size.
vi.mock("@/components/billing/CostChart", () => ({ default: () => <p>Chart</p> }));

const TODAY = dayOf(Date.now());
const asked: URL[] = [];

beforeEach(() => {
  asked.length = 0;
  server.use(
    http.get(`${ACCOUNT}/costs/summary`, () => HttpResponse.json(aCostSummary())),
    http.get(`${ACCOUNT}/costs/daily`, ({ request }) => {
      asked.push(new URL(request.url));
      return HttpResponse.json([aDailyCost({ date: TODAY })]);
    }),
  );
});

test("the total, the models and the table twin say what the days cost", async () => {
  renderSignedIn(<CostBreakdown />);
  expect(await screen.findByTestId("cost")).toHaveTextContent("$42.50");
  expect(await screen.findByText(/340 calls, 3.4M tokens, as much as the 30 days/)).toBeVisible();
  const models = screen.getByRole("table", { name: "Models by cost" });
  expect(within(models).getAllByRole("row")[1]).toHaveTextContent("claude-sonnet-4-5");
  await userEvent.click(await screen.findByRole("button", { name: "Show as table" }));
  const days = screen.getByRole("table", { name: "Costs by day and provider" });
  expect(within(days).getAllByRole("row")).toHaveLength(31);
  expect(within(days).getAllByRole("row").at(-1)).toHaveTextContent("$1.50$1.50");
});

test("seven days and models are asked of the server, and stand in the address", async () => {
  renderSignedIn(<CostBreakdown />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "7 days" }));
  await user.click(await screen.findByRole("button", { name: "Model" }));
  await screen.findByTestId("cost");
  expect(window.location.search).toBe("?costs=7&by=model");
  const last = asked.at(-1)?.searchParams;
  expect(last?.get("group_by")).toBe("model");
  expect(Date.parse(last?.get("to") ?? "") - Date.parse(last?.get("from") ?? "")).toBe(
    7 * 86_400_000,
  );
});

test("a range is chosen by two days, and one that makes no sense is refused", async () => {
  renderSignedIn(<CostBreakdown />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Range" }));
  const [first, last] = [screen.getByLabelText("First day"), screen.getByLabelText("Last day")];
  await user.clear(first);
  await user.type(first, "2026-02-10");
  await user.clear(last);
  await user.type(last, "2026-02-01");
  expect(screen.getByRole("alert")).toHaveTextContent("comes after");
  await user.clear(last);
  await user.type(last, "2026-02-11");
  await user.click(screen.getByRole("button", { name: "Show" }));
  expect(window.location.search).toBe("?costs=2026-02-10..2026-02-11");
  const csv = await screen.findByRole("link", { name: "Download CSV" });
  expect(csv).toHaveAttribute(
    "href",
    "/api/billing/account/acme/costs/export.csv?from=2026-02-10T00%3A00%3A00Z&to=2026-02-12T00%3A00%3A00Z",
  );
});

test("calls that have no price yet are told of", async () => {
  server.use(
    http.get(`${ACCOUNT}/costs/summary`, () =>
      HttpResponse.json(aCostSummary({ unpriced_records: 7 })),
    ),
  );
  renderSignedIn(<CostBreakdown />);
  expect(await screen.findByText("7 calls not yet priced")).toBeVisible();
});

test("a model without a price says so in the table of models, and not that it cost nothing", async () => {
  const unpriced = { provider: "acme-labs", cost: 0, tokens: 900, records: 3, unpriced_records: 3 };
  const { breakdown } = aCostSummary();
  server.use(
    http.get(`${ACCOUNT}/costs/summary`, () =>
      HttpResponse.json(
        aCostSummary({
          unpriced_records: 3,
          breakdown: [...breakdown, { ...unpriced, model: "nobody-priced" }],
        }),
      ),
    ),
  );
  renderSignedIn(<CostBreakdown />);
  const models = await screen.findByRole("table", { name: "Models by cost" });
  const row = within(models).getByRole("row", { name: /nobody-priced/ });
  expect(within(row).getByText("Not yet priced")).toBeVisible();
  expect(row).not.toHaveTextContent("$0.00");
});

test("a day whose calls have no price yet says so in the table of days", async () => {
  const unpriced = { provider: "acme-labs", cost: 0, records: 3, unpriced_records: 3 };
  server.use(
    http.get(`${ACCOUNT}/costs/daily`, () =>
      HttpResponse.json([aDailyCost({ date: TODAY, ...unpriced })]),
    ),
  );
  renderSignedIn(<CostBreakdown />);
  await userEvent.click(await screen.findByRole("button", { name: "Show as table" }));
  const today = screen.getAllByRole("row").find((row) => row.textContent?.includes("Not yet"));
  expect(today).toHaveTextContent("Not yet pricedNot yet priced");
  expect(today).not.toHaveTextContent("$0.00");
});

test("a failure is told in the section, and without costs it says where they come from", async () => {
  server.use(http.get(`${ACCOUNT}/costs/summary`, () => refusal(500, "Costs cannot be read.")));
  renderSignedIn(<CostBreakdown />);
  expect(await screen.findByText("Costs cannot be read.")).toBeVisible();
  server.use(
    http.get(`${ACCOUNT}/costs/summary`, () =>
      HttpResponse.json(aCostSummary({ record_count: 0, total_cost: 0, breakdown: [] })),
    ),
  );
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("No costs in these days")).toBeVisible();
});

test("today is the server's day", async () => {
  const now = new Date(Date.now() + 70 * 86_400_000);
  server.use(
    http.get(`${API}/session`, () => HttpResponse.json(aSession({ now: now.toISOString() }))),
  );
  renderSignedIn(<CostBreakdown />);
  await screen.findByTestId("cost");
  await waitFor(() => expect(asked).not.toHaveLength(0));
  const tomorrow = dayOf(now.getTime() + 86_400_000);
  expect(asked.at(-1)?.searchParams.get("to")).toContain(tomorrow);
});

test("costs of days that were chosen before do not pass for those of other days", async () => {
  renderSignedIn(<CostBreakdown />);
  const cost = await screen.findByTestId("cost");
  expect(cost.closest("[aria-busy]")).toBeNull();
  server.use(http.get(`${ACCOUNT}/costs/summary`, () => delay("infinite")));
  await userEvent.click(screen.getByRole("button", { name: "7 days" }));
  expect(screen.getByTestId("cost").closest("[aria-busy]")).toHaveClass("opacity-50");
});

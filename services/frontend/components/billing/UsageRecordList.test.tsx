import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import UsageRecordList from "@/components/billing/UsageRecordList";
import { aUsageRecord } from "@/mocks/examples";
import { ACCOUNT, server } from "@/mocks/gateway";
import { renderSignedIn } from "@/mocks/render";

test("a use shows what it was, what paid for it, and whether it is billed", async () => {
  const free = aUsageRecord({ id: "record_2", free_tier_used: true, total_price: 0, billed: true });
  server.use(http.get(`${ACCOUNT}/usage`, () => HttpResponse.json([aUsageRecord(), free])));
  renderSignedIn(<UsageRecordList />);
  const table = await screen.findByRole("table", { name: "Usage records, newest first" });
  const [, first, second] = within(table).getAllByRole("row");
  expect(first).toHaveTextContent("Workflowworkflow-1 · TICKET-7");
  expect(first).toHaveTextContent("Auto-billingNot billed yet$10.00");
  expect(second).toHaveTextContent("Free");
  expect(second).toHaveTextContent("Billed$0.00");
});

test("the filter asks the server, and stands in the address", async () => {
  const asked: (string | null)[] = [];
  server.use(
    http.get(`${ACCOUNT}/usage`, ({ request }) => {
      asked.push(new URL(request.url).searchParams.get("billed"));
      return HttpResponse.json([]);
    }),
  );
  renderSignedIn(<UsageRecordList />);
  expect(await screen.findByText("No usage yet")).toBeVisible();
  const user = userEvent.setup();
  await user.click(screen.getByRole("button", { name: "Unbilled" }));
  expect(await screen.findByText("Everything is billed")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Billed" }));
  expect(await screen.findByText("Nothing is billed yet")).toBeVisible();
  expect(asked).toEqual([null, "false", "true"]);
  expect(window.location.search).toBe("?usage=billed");
});

test("older records come when they are asked for", async () => {
  server.use(
    http.get(`${ACCOUNT}/usage`, ({ request }) => {
      const address = new URL(request.url);
      if (address.searchParams.get("cursor")) {
        return HttpResponse.json([aUsageRecord({ id: "record_9", ticket_id: "TICKET-9" })]);
      }
      address.searchParams.set("cursor", "next");
      const headers = { Link: `<${address.href}>; rel="next"` };
      return HttpResponse.json([aUsageRecord()], { headers });
    }),
  );
  renderSignedIn(<UsageRecordList />);
  await userEvent.click(await screen.findByRole("button", { name: "Show older records" }));
  expect((await screen.findAllByText(/TICKET-9/)).length).toBeGreaterThan(0);
});

test("a use that cost less than a cent has a price nevertheless", async () => {
  server.use(
    http.get(`${ACCOUNT}/usage`, () =>
      HttpResponse.json([aUsageRecord({ usage_type: "llm_cost", total_price: 0.00042 })]),
    ),
  );
  renderSignedIn(<UsageRecordList />);
  expect((await screen.findAllByText("$0.00042")).length).toBeGreaterThan(0);
});

test("where a filter leaves nothing, all is one click away", async () => {
  server.use(
    http.get(`${ACCOUNT}/usage`, ({ request }) => {
      const isFiltered = new URL(request.url).searchParams.has("billed");
      return HttpResponse.json(isFiltered ? [] : [aUsageRecord()]);
    }),
  );
  window.history.replaceState(null, "", "/settings/billing/?usage=unbilled");
  renderSignedIn(<UsageRecordList />);
  await userEvent.click(await screen.findByRole("button", { name: "Show all records" }));
  expect((await screen.findAllByText(/TICKET-7/)).length).toBeGreaterThan(0);
});

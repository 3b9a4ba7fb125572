import { act, screen, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { LiveProvider, useLiveStatus } from "@/components/app/LiveProvider";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { aSubscription } from "@/mocks/examples";
import { ACCOUNT, server } from "@/mocks/gateway";
import { ScriptedSource, scriptLive, setHidden } from "@/mocks/live";
import { renderSignedIn } from "@/mocks/render";

function Tier() {
  const tier = useSubscription("acme").data?.tier;
  return (
    <p>
      {tier} {useLiveStatus()}
    </p>
  );
}

async function openPage() {
  renderSignedIn(
    <LiveProvider organization="acme">
      <Tier />
    </LiveProvider>,
  );
  await screen.findByText(/pro connecting/);
  await waitFor(() => expect(ScriptedSource.opened).toHaveLength(1));
  const source = ScriptedSource.opened[0];
  if (!source) throw new Error("No stream is open.");
  act(() => source.onopen?.());
  return source;
}

beforeEach(() => {
  setHidden(false);
  scriptLive();
});

test("a change elsewhere shows here at once", async () => {
  const source = await openPage();
  server.use(
    http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription({ tier: "team" }))),
  );
  act(() => source.say("plan_changed"));
  await screen.findByText("team live");
});

test("after a gap everything is asked again", async () => {
  const source = await openPage();
  server.use(
    http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription({ tier: "byo" }))),
  );
  act(() => source.say("resync", { reason: "connected" }));
  act(() => source.say("resync", { reason: "position_unknown" }));
  await screen.findByText("byo live");
});

test("a tab that was told by another one asks everything again when that one's stream is lost", async () => {
  await openPage();
  const asked = vi.fn(() => HttpResponse.json(aSubscription({ tier: "byo" })));
  server.use(http.get(`${ACCOUNT}/subscription`, asked));
  const now = Date.now();
  const later = vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  const another = new BroadcastChannel("billing-live-acme");
  act(() => another.postMessage({ event: { name: "plan_changed", data: {} } }));
  await screen.findByText("byo live");
  // So what it has is fresh: but it had been asked for before something was missed.
  later.mockReturnValue(now + 61_000);
  act(() => another.postMessage({ event: { name: "resync", data: { reason: "connected" } } }));
  await waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
});

test("what the customer should know is told", async () => {
  const source = await openPage();
  act(() =>
    source.say("notice_raised", {
      kind: "limit_reached",
      severity: "warning",
      title: "80 % of your workflows are used",
      text: "20 are left.",
    }),
  );
  await screen.findByText("80 % of your workflows are used");
});

test("the first stream asks for nothing that has just been asked for", async () => {
  const asked = vi.fn(() => HttpResponse.json(aSubscription()));
  server.use(http.get(`${ACCOUNT}/subscription`, asked));
  const source = await openPage();
  act(() => source.say("resync", { reason: "connected" }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(asked).toHaveBeenCalledOnce();
});

test("the first stream asks for what is old already", async () => {
  const source = await openPage();
  server.use(
    http.get(`${ACCOUNT}/subscription`, () => HttpResponse.json(aSubscription({ tier: "byo" }))),
  );
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  act(() => source.say("resync", { reason: "connected" }));
  await screen.findByText("byo live");
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveConnection } from "@/lib/billing/live";
import { ScriptedSource, scriptLive, setHidden } from "@/mocks/live";

const tabs: LiveConnection[] = [];

function openTab() {
  const onEvent = vi.fn();
  const onStatus = vi.fn();
  const connection = new LiveConnection("acme", onEvent, onStatus);
  tabs.push(connection);
  return { connection, onEvent, onStatus };
}

const settled = () => vi.waitFor(() => expect(ScriptedSource.opened.length).toBeGreaterThan(0));
const latest = () => {
  const source = ScriptedSource.opened.at(-1);
  if (!source) throw new Error("No stream is open.");
  return source;
};

beforeEach(() => {
  setHidden(false);
  scriptLive();
});
afterEach(() => {
  for (const tab of tabs.splice(0)) tab.stop();
});

test("all tabs of a browser share one stream", async () => {
  const first = openTab();
  const second = openTab();
  await settled();
  latest().onopen?.();
  latest().say("plan_changed", { tier: "team" });
  expect(ScriptedSource.opened).toHaveLength(1);
  expect(latest().url).toBe("/api/billing/account/acme/events");
  for (const tab of [first, second]) {
    expect(tab.onEvent).toHaveBeenCalledExactlyOnceWith({
      name: "plan_changed",
      data: { tier: "team" },
    });
    expect(tab.onStatus).toHaveBeenLastCalledWith("live");
  }
});

test("when the tab that listens closes, another one takes over", async () => {
  const first = openTab();
  const second = openTab();
  await settled();
  first.connection.stop();
  await vi.waitFor(() => expect(ScriptedSource.opened).toHaveLength(2));
  latest().say("resync");
  expect(second.onEvent).toHaveBeenCalledOnce();
  expect(first.onEvent).not.toHaveBeenCalled();
});

test("a hidden tab holds no connection, and comes back when it is seen again", async () => {
  openTab();
  await settled();
  setHidden(true);
  expect(latest().readyState).toBe(ScriptedSource.CLOSED);
  setHidden(false);
  await vi.waitFor(() => expect(ScriptedSource.opened).toHaveLength(2));
});

test("a tab that comes later is told how things are", async () => {
  openTab();
  await settled();
  latest().onopen?.();
  const late = openTab();
  expect(late.onStatus).toHaveBeenCalledWith("live");
});

test("a refused stream is tried again, ever more seldom; a lost one is the browser's to mend", async () => {
  const { onStatus } = openTab();
  await settled();
  vi.useFakeTimers();
  latest().fail({ forGood: false });
  expect(onStatus).toHaveBeenLastCalledWith("away");
  vi.advanceTimersByTime(60_000);
  expect(ScriptedSource.opened).toHaveLength(1);

  latest().fail({ forGood: true });
  vi.advanceTimersByTime(1_000);
  expect(ScriptedSource.opened).toHaveLength(2);
  latest().fail({ forGood: true });
  vi.advanceTimersByTime(1_000);
  expect(ScriptedSource.opened).toHaveLength(2);
  vi.advanceTimersByTime(1_000);
  expect(ScriptedSource.opened).toHaveLength(3);
  vi.useRealTimers();
});

// Browsers' live connections, as tests drive them: one lock, one channel, streams that are scripted.
import { vi } from "vitest";

export class ScriptedSource {
  static readonly CLOSED = 2;
  static opened: ScriptedSource[] = [];
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  private readonly heard = new Map<string, (event: { data: string }) => void>();

  constructor(readonly url: string) {
    ScriptedSource.opened.push(this);
  }

  addEventListener(name: string, hear: (event: { data: string }) => void) {
    this.heard.set(name, hear);
  }

  close() {
    this.readyState = ScriptedSource.CLOSED;
  }

  say(name: string, data: unknown = {}) {
    this.heard.get(name)?.({ data: JSON.stringify(data) });
  }

  fail({ forGood }: { forGood: boolean }) {
    this.readyState = forGood ? ScriptedSource.CLOSED : 0;
    this.onerror?.();
  }
}

class ScriptedChannel {
  static open: ScriptedChannel[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(readonly name: string) {
    ScriptedChannel.open.push(this);
  }

  postMessage(data: unknown) {
    for (const each of ScriptedChannel.open) {
      if (each !== this && each.name === this.name) each.onmessage?.({ data });
    }
  }

  close() {
    ScriptedChannel.open = ScriptedChannel.open.filter((each) => each !== this);
  }
}

/** One lock at a time; the others wait in the order in which they asked. */
function scriptedLocks() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: (_name: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>) => {
      const mine = last.then(() => {
        if (signal.aborted) throw new DOMException("given up", "AbortError");
        return hold();
      });
      last = mine.catch(() => {});
      return mine;
    },
  };
}

/** Puts them in the place of the browser's own. */
export function scriptLive() {
  ScriptedSource.opened = [];
  ScriptedChannel.open = [];
  vi.stubGlobal("EventSource", ScriptedSource);
  vi.stubGlobal("BroadcastChannel", ScriptedChannel);
  Object.defineProperty(navigator, "locks", { value: scriptedLocks(), configurable: true });
}

/** Shows or hides the tab. */
export function setHidden(isHidden: boolean) {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

// One stream of live events for all tabs of a browser: browsers open six connections to a server
// at most, so the tab that holds the lock listens and tells the others. A hidden tab holds nothing.
import { API_ORIGIN } from "@/lib/api/client";
import { LIVE_EVENTS, type LiveEvent, parseEvent } from "@/lib/billing/events";

export type LiveStatus = "connecting" | "live" | "away";

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

interface Told {
  event?: LiveEvent;
  status?: LiveStatus;
  /** A tab that came later asks how things are. */
  asks?: true;
}

/** Hears one organization's events until `stop`. */
export class LiveConnection {
  private readonly channel: BroadcastChannel;
  private release: (() => void) | null = null;
  private giveUp: AbortController | null = null;
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private retryMs = FIRST_RETRY_MS;
  private status: LiveStatus = "connecting";
  private readonly name: string;

  constructor(
    private readonly organization: string,
    private readonly onEvent: (event: LiveEvent) => void,
    private readonly onStatus: (status: LiveStatus) => void,
  ) {
    this.name = `billing-live-${organization}`;
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }: MessageEvent<Told>) => this.hear(data);
    document.addEventListener("visibilitychange", this.followVisibility);
    this.followVisibility();
  }

  /** Close everything. */
  stop(): void {
    document.removeEventListener("visibilitychange", this.followVisibility);
    this.sleep();
    this.channel.close();
  }

  private readonly followVisibility = () => {
    if (document.hidden) this.sleep();
    else this.wake();
  };

  private wake(): void {
    if (this.giveUp) return;
    const giveUp = new AbortController();
    this.giveUp = giveUp;
    this.channel.postMessage({ asks: true } satisfies Told);
    navigator.locks
      .request(this.name, { signal: giveUp.signal }, () => this.lead(giveUp.signal))
      // Only `sleep` aborts the waiting.
      .catch((error: unknown) => {
        if (!giveUp.signal.aborted) throw error;
      });
  }

  private sleep(): void {
    this.giveUp?.abort();
    this.giveUp = null;
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
    this.release?.();
    this.release = null;
  }

  /** Holds the lock until this tab sleeps. */
  private lead(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((release) => {
      this.release = release;
      this.listen();
    });
  }

  private listen(): void {
    const address = `${API_ORIGIN}/api/billing/account/${this.organization}/events`;
    const source = new EventSource(address, { withCredentials: true });
    this.source = source;
    source.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.become("live");
    };
    source.onerror = () => this.recover(source);
    for (const name of LIVE_EVENTS) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) => {
        const event = parseEvent(name, data);
        if (!event) return;
        this.channel.postMessage({ event } satisfies Told);
        this.onEvent(event);
      });
    }
  }

  /** A browser comes back by itself after a lost connection, but not after a refusal. */
  private recover(source: EventSource): void {
    this.become("away");
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.listen(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private become(status: LiveStatus): void {
    this.status = status;
    this.channel.postMessage({ status } satisfies Told);
    this.onStatus(status);
  }

  private hear(told: Told): void {
    if (told.event) this.onEvent(told.event);
    if (told.status && !this.release) this.onStatus(told.status);
    if (told.asks && this.release) {
      this.channel.postMessage({ status: this.status } satisfies Told);
    }
  }
}

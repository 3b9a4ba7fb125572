// Asking again for what is still being worked on.
import { ApiError } from "@/lib/api/errors";

const USUAL_WAIT_SECONDS = 2;
const LONGEST_WAIT_SECONDS = 5;
const PATIENCE_MS = 30_000;

/**
 * Asks, and asks again after the time that the server names while it is still at work. `ask` must
 * send the same Idempotency-Key each time. Throws what was answered when patience ends.
 */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiError && error.isUnderWay)) throw error;
      const seconds = Math.min(error.retryAfterSeconds ?? USUAL_WAIT_SECONDS, LONGEST_WAIT_SECONDS);
      if (Date.now() + seconds * 1000 > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }
}

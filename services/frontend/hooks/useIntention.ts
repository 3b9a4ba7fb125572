"use client";

import { useRef } from "react";
import { ApiError } from "@/lib/api/errors";
import { patiently } from "@/lib/api/patience";

export interface Intention {
  /**
   * Sends what the user wants with a key. The key stays until there is a definite answer, so that
   * a retry does nothing twice; after one, or for another `what`, it is another intention.
   */
  send: <T>(what: string, ask: (key: string) => Promise<T>) => Promise<T>;
  /** Whether the last answer was lost, so that what was wanted may have happened. */
  isOpen: () => boolean;
}

export function useIntention(): Intention {
  const open = useRef<{ key: string; what: string } | null>(null);
  return {
    isOpen: () => open.current !== null,
    send: async (what, ask) => {
      if (open.current?.what !== what) open.current = { key: crypto.randomUUID(), what };
      const { key } = open.current;
      try {
        const answer = await patiently(() => ask(key));
        open.current = null;
        return answer;
      } catch (error) {
        if (error instanceof ApiError && !error.isUndecided) open.current = null;
        throw error;
      }
    },
  };
}

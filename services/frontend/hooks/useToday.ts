"use client";

import { useCallback, useSyncExternalStore } from "react";
import { useSession } from "@/components/app/SessionProvider";
import { dayOf } from "@/lib/billing/costs";

const LOOK_EVERY_MS = 30_000;

function subscribe(look: () => void) {
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** The UTC day it is for the server, also in a tab that stays open over midnight. */
export function useToday(): string {
  const { clockAheadMs } = useSession();
  return useSyncExternalStore(
    subscribe,
    useCallback(() => dayOf(Date.now() + clockAheadMs), [clockAheadMs]),
    () => dayOf(0),
  );
}

/** The time it is for the server, as of this drawing. */
export function useNow(): Date {
  return new Date(Date.now() + useSession().clockAheadMs);
}

"use client";

import { useSyncExternalStore } from "react";
import { dayOf } from "@/lib/billing/costs";

const LOOK_EVERY_MS = 30_000;

function subscribe(look: () => void) {
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

/** The UTC day it is, also in a tab that stays open over midnight. */
export function useToday(): string {
  return useSyncExternalStore(
    subscribe,
    () => dayOf(Date.now()),
    () => dayOf(0),
  );
}

"use client";

import { useCallback, useSyncExternalStore } from "react";

const CHANGED = "billing:address";

function subscribe(changed: () => void) {
  window.addEventListener("popstate", changed);
  window.addEventListener(CHANGED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(CHANGED, changed);
  };
}

/** A part of the page's state that lives in its address, `?invoice=…`; null when it is not there. */
export function useUrlState(key: string): [string | null, (value: string | null) => void] {
  const value = useSyncExternalStore(
    subscribe,
    () => new URLSearchParams(window.location.search).get(key),
    () => null,
  );
  const change = useCallback(
    (next: string | null) => {
      const address = new URL(window.location.href);
      if (next === null) address.searchParams.delete(key);
      else address.searchParams.set(key, next);
      window.history.replaceState(null, "", address);
      window.dispatchEvent(new Event(CHANGED));
    },
    [key],
  );
  return [value, change];
}

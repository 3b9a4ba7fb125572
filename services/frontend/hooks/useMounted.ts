"use client";

import { useSyncExternalStore } from "react";

const never = () => () => {};

/** False in the HTML that was made at build time and while React takes it over. */
export function useMounted(): boolean {
  return useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
}

"use client";

import { useEffect } from "react";

/** Calls when the browser shows this page again as it was left: what led away is over then. */
export function useBackAgain(call: () => void): void {
  useEffect(() => {
    const notice = ({ persisted }: PageTransitionEvent) => {
      if (persisted) call();
    };
    window.addEventListener("pageshow", notice);
    return () => window.removeEventListener("pageshow", notice);
  }, [call]);
}

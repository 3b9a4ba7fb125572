"use client";

import { useQueries } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { accountQuery, subscriptionQuery, usageSummaryQuery } from "@/lib/billing/queries";

const LONGEST_WAIT_MS = 1_500;

/**
 * Whether the page may be shown: what decides about its banners is known, or has taken too long.
 * Once true it stays true, whatever is asked again.
 */
export function useFirstSight(organizationId: string): boolean {
  const [isReady, setIsReady] = useState(false);
  const isSettled = useQueries({
    queries: [
      accountQuery(organizationId),
      subscriptionQuery(organizationId),
      usageSummaryQuery(organizationId),
    ],
    combine: (results) => results.every((each) => !each.isPending),
  });
  useEffect(() => {
    const wait = setTimeout(() => setIsReady(true), isSettled ? 0 : LONGEST_WAIT_MS);
    return () => clearTimeout(wait);
  }, [isSettled]);
  useEffect(() => {
    // The browser looked for this place before it was there.
    if (isReady) document.getElementById(window.location.hash.slice(1))?.scrollIntoView();
  }, [isReady]);
  return isReady;
}

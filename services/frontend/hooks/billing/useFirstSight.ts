"use client";

import { useQueries } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { accountQuery, subscriptionQuery, usageSummaryQuery } from "@/lib/billing/queries";

const LONGEST_WAIT_MS = 1_500;
const SETTLED_AFTER_MS = 4_000;
const BY_USER = ["wheel", "touchstart", "pointerdown", "keydown"];

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
    const linked = window.location.hash.slice(1);
    if (isReady && linked) return keepInSight(linked);
  }, [isReady]);
  return isReady;
}

/**
 * Goes to a place that a link names. The browser looked for it before it was there, and what comes
 * above it moves it: it is followed until all should have come, or the user goes elsewhere.
 */
function keepInSight(id: string): () => void {
  const look = () => document.getElementById(id)?.scrollIntoView();
  const observer = new ResizeObserver(look);
  const timer = setTimeout(() => end(), SETTLED_AFTER_MS);
  const end = () => {
    observer.disconnect();
    clearTimeout(timer);
    for (const name of BY_USER) window.removeEventListener(name, end);
  };
  look();
  observer.observe(document.body);
  for (const name of BY_USER) window.addEventListener(name, end, { passive: true });
  return end;
}

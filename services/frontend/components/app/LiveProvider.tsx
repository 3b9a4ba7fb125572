"use client";

import { createContext, type ReactNode, use } from "react";
import { useBillingEvents } from "@/hooks/billing/useBillingEvents";
import { useNewDay } from "@/hooks/billing/useNewDay";
import type { LiveStatus } from "@/lib/billing/live";

const LiveContext = createContext<LiveStatus>("connecting");

/** Whether the page hears at once what happens. */
export function useLiveStatus(): LiveStatus {
  return use(LiveContext);
}

/** Listens to one organization for everything below. */
export function LiveProvider({
  organization,
  children,
}: {
  organization: string;
  children: ReactNode;
}) {
  useNewDay();
  return <LiveContext value={useBillingEvents(organization)}>{children}</LiveContext>;
}

"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { usageQuery } from "@/lib/billing/queries";

/** What was used, newest first, page by page; `billed` filters. */
export function useUsage(organizationId: string, billed?: boolean) {
  return useInfiniteQuery(usageQuery(organizationId, billed));
}

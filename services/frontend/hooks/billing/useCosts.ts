"use client";

import { useQuery } from "@tanstack/react-query";
import { costSummaryQuery } from "@/lib/billing/queries";

export function useCosts(organizationId: string, from?: string, to?: string) {
  return useQuery(costSummaryQuery(organizationId, from, to));
}

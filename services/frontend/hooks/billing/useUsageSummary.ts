"use client";

import { useQuery } from "@tanstack/react-query";
import { usageSummaryQuery } from "@/lib/billing/queries";

export function useUsageSummary(organizationId: string) {
  return useQuery(usageSummaryQuery(organizationId));
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { accountQuery } from "@/lib/billing/queries";

export function useBillingAccount(organizationId: string) {
  return useQuery(accountQuery(organizationId));
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { subscriptionQuery } from "@/lib/billing/queries";

export function useSubscription(organizationId: string) {
  return useQuery(subscriptionQuery(organizationId));
}

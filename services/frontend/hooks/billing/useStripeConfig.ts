"use client";

import { useQuery } from "@tanstack/react-query";
import { configQuery } from "@/lib/billing/queries";

export function useStripeConfig() {
  return useQuery(configQuery);
}

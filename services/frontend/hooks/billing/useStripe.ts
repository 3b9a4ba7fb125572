"use client";

import { useQuery } from "@tanstack/react-query";
import { configQuery } from "@/lib/billing/queries";
import { getStripe } from "@/lib/billing/stripe";

/** Stripe.js, loaded when this is first used; null when card payments are not configured. */
export function useStripe() {
  const config = useQuery(configQuery).data;
  return useQuery({
    queryKey: ["stripe", config?.publishable_key],
    queryFn: () => (config ? getStripe(config) : null),
    enabled: config !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    // It holds functions and a frame: to compare it with another one would make no sense.
    structuralSharing: false,
  });
}

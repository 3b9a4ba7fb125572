"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { configQuery } from "@/lib/billing/queries";
import { getStripe } from "@/lib/billing/stripe";

/** Stripe.js, loaded when this is first used; null when card payments are not configured. */
export function useStripe() {
  const queryClient = useQueryClient();
  return useQuery({
    queryKey: ["stripe"],
    queryFn: async () => getStripe(await queryClient.ensureQueryData(configQuery)),
    staleTime: Number.POSITIVE_INFINITY,
    // It holds functions and a frame: to compare it with another one would make no sense.
    structuralSharing: false,
  });
}

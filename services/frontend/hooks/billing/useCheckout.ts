"use client";

import { useQuery } from "@tanstack/react-query";
import { billingApi } from "@/lib/billing/api";
import { billingKeys } from "@/lib/billing/queries";
import type { CheckoutStateResponse } from "@/lib/billing/types";

const ASK_AGAIN_MS = 1_500;

/** Whether nothing more happens to a purchase. */
export function isSettled(state: CheckoutStateResponse): boolean {
  return state.status !== "open" && state.status !== "processing";
}

/** How a purchase stands, asked until it is settled; a live event asks sooner. */
export function useCheckout(organizationId: string, sessionId: string | null) {
  return useQuery({
    queryKey: [...billingKeys.of("checkout", organizationId), sessionId],
    queryFn: () => billingApi.getCheckout(organizationId, sessionId ?? ""),
    enabled: sessionId !== null,
    refetchInterval: ({ state }) => (state.data && isSettled(state.data) ? false : ASK_AGAIN_MS),
    retry: 1,
  });
}

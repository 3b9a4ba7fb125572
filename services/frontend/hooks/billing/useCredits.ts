"use client";

import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useIdempotencyKey } from "@/hooks/useIdempotencyKey";
import { billingApi } from "@/lib/billing/api";
import { creditsQuery } from "@/lib/billing/queries";
import { returnPages } from "@/lib/billing/returnPages";

/** The ledger of credits, newest first, page by page. */
export function useCredits(organizationId: string) {
  return useInfiniteQuery(creditsQuery(organizationId));
}

/** Leads to the hosted page where credits are bought. */
export function useBuyCredits(organizationId: string) {
  const key = useIdempotencyKey();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: (amountUsd: number) =>
      billingApi.createCreditCheckout(
        organizationId,
        amountUsd,
        returnPages(organizationId),
        key.current(),
      ),
    onSuccess: ({ checkout_url }) => window.location.assign(checkout_url),
    // Another amount is another purchase.
    onError: key.renew,
  });
}

/** Leads to the hosted page where the lifetime plan is bought. */
export function useBuyLifetime(organizationId: string) {
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () =>
      billingApi.createLifetimeCheckout(organizationId, returnPages(organizationId), key.current()),
    onSuccess: ({ checkout_url }) => window.location.assign(checkout_url),
    onError: key.renew,
  });
}

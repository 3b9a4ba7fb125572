"use client";

import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useBackAgain } from "@/hooks/useBackAgain";
import { useIntention } from "@/hooks/useIntention";
import { billingApi } from "@/lib/billing/api";
import { creditsQuery } from "@/lib/billing/queries";
import { returnPages } from "@/lib/billing/returnPages";

/** The ledger of credits, newest first, page by page. */
export function useCredits(organizationId: string) {
  return useInfiniteQuery(creditsQuery(organizationId));
}

/** Leads to the hosted page where credits are bought. */
export function useBuyCredits(organizationId: string) {
  const intention = useIntention();
  const buy = useMutation({
    meta: { showsErrors: true },
    mutationFn: (amountUsd: number) =>
      intention.send(String(amountUsd), (key) =>
        billingApi.createCreditCheckout(
          organizationId,
          amountUsd,
          returnPages(organizationId),
          key,
        ),
      ),
    onSuccess: ({ checkout_url }) => window.location.assign(checkout_url),
  });
  useBackAgain(buy.reset);
  return buy;
}

/** Leads to the hosted page where the lifetime plan is bought. */
export function useBuyLifetime(organizationId: string) {
  const intention = useIntention();
  const buy = useMutation({
    mutationFn: () =>
      intention.send("lifetime", (key) =>
        billingApi.createLifetimeCheckout(organizationId, returnPages(organizationId), key),
      ),
    onSuccess: ({ checkout_url }) => window.location.assign(checkout_url),
  });
  useBackAgain(buy.reset);
  return buy;
}

"use client";

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { useIdempotencyKey } from "@/hooks/useIdempotencyKey";
import { billingApi } from "@/lib/billing/api";
import { type BillingTopic, billingKeys, subscriptionQuery } from "@/lib/billing/queries";
import { returnPages } from "@/lib/billing/returnPages";
import type { ChangePreviewResponse, SubscriptionResponse, Tier } from "@/lib/billing/types";

const AFTER_A_CHANGE: BillingTopic[] = ["subscription", "usageSummary", "account", "invoices"];

function refresh(queryClient: QueryClient, organizationId: string) {
  return Promise.all(
    AFTER_A_CHANGE.map((topic) =>
      queryClient.invalidateQueries({ queryKey: billingKeys.of(topic, organizationId) }),
    ),
  );
}

interface Shown {
  before: SubscriptionResponse | undefined;
}

/** Shows a change of the subscription before the server has confirmed it, and takes it back if not. */
function useOptimistic(organizationId: string, change: Partial<SubscriptionResponse>) {
  const queryClient = useQueryClient();
  const { queryKey } = subscriptionQuery(organizationId);
  return {
    onMutate: async (): Promise<Shown> => {
      await queryClient.cancelQueries({ queryKey });
      const before = queryClient.getQueryData(queryKey);
      if (before) queryClient.setQueryData(queryKey, { ...before, ...change });
      return { before };
    },
    onError: (_error: Error, _nothing: unknown, shown: Shown | undefined) => {
      if (shown?.before) queryClient.setQueryData(queryKey, shown.before);
    },
    onSettled: () => refresh(queryClient, organizationId),
  };
}

export function useCancelSubscription(organizationId: string) {
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () => billingApi.cancelSubscription(organizationId, key.current()),
    meta: { showsErrors: true },
    ...useOptimistic(organizationId, { cancel_at_period_end: true }),
    onSuccess: () => {
      key.renew();
      toast.success("Your plan ends with the current period.");
    },
  });
}

export function useReactivateSubscription(organizationId: string) {
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () => billingApi.reactivateSubscription(organizationId, key.current()),
    ...useOptimistic(organizationId, { cancel_at_period_end: false }),
    onSuccess: () => {
      key.renew();
      toast.success("Your plan goes on.");
    },
  });
}

/** What changing to a tier costs; asked anew whenever the dialog opens, because time passes. */
export function useChangePreview(organizationId: string, tier: Tier) {
  return useQuery({
    queryKey: [...billingKeys.of("subscription", organizationId), "preview", tier],
    queryFn: () => billingApi.previewChange(organizationId, tier),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
}

/** Changes the plan as previewed; a first paid plan is bought on a hosted page instead. */
export function useChangePlan(organizationId: string, onDone: () => void) {
  const queryClient = useQueryClient();
  const key = useIdempotencyKey();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: async (preview: ChangePreviewResponse) => {
      if (preview.kind !== "checkout") {
        const { to_tier, proration_date } = preview;
        return billingApi.changePlan(organizationId, to_tier, proration_date, key.current());
      }
      const pages = returnPages(organizationId);
      const { checkout_url } = await billingApi.createSubscriptionCheckout(
        organizationId,
        preview.to_tier,
        pages,
        key.current(),
      );
      window.location.assign(checkout_url);
      return null;
    },
    onSuccess: async (changed) => {
      // On the way to the hosted page the dialog stays as it is.
      if (!changed) return;
      queryClient.setQueryData(subscriptionQuery(organizationId).queryKey, changed);
      onDone();
      await refresh(queryClient, organizationId);
    },
  });
}

"use client";

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { useBackAgain } from "@/hooks/useBackAgain";
import { useIntention } from "@/hooks/useIntention";
import { ApiError } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { type BillingTopic, billingKeys, subscriptionQuery } from "@/lib/billing/queries";
import { returnPages } from "@/lib/billing/returnPages";
import type { ChangePreviewResponse, SubscriptionResponse, Tier } from "@/lib/billing/types";

const AFTER_A_CHANGE: BillingTopic[] = ["subscription", "usageSummary", "account", "invoices"];

/** Asks again for what has changed. Nobody waits for it: the outcome is known before. */
function refresh(queryClient: QueryClient, organizationId: string): void {
  for (const topic of AFTER_A_CHANGE) {
    void queryClient.invalidateQueries({ queryKey: billingKeys.of(topic, organizationId) });
  }
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
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      intention.send("cancel", (key) => billingApi.cancelSubscription(organizationId, key)),
    meta: { showsErrors: true },
    ...useOptimistic(organizationId, { cancel_at_period_end: true }),
    onSuccess: () => toast.success("Your plan ends with the current period."),
  });
}

export function useReactivateSubscription(organizationId: string) {
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      intention.send("reactivate", (key) => billingApi.reactivateSubscription(organizationId, key)),
    ...useOptimistic(organizationId, { cancel_at_period_end: false }),
    onSuccess: () => toast.success("Your plan goes on."),
  });
}

// Apart from what events make old: a sum may not change while somebody is about to agree to it.
const previewKey = (organizationId: string, tier: Tier) =>
  ["change-preview", organizationId, tier] as const;

/** What changing to a tier costs; asked anew whenever the dialog opens, because time passes. */
export function useChangePreview(organizationId: string, tier: Tier) {
  return useQuery({
    queryKey: previewKey(organizationId, tier),
    queryFn: () => billingApi.previewChange(organizationId, tier),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/** Changes the plan as previewed; a first paid plan is bought on a hosted page instead. */
export function useChangePlan(
  organizationId: string,
  onDone: (agreed: ChangePreviewResponse) => void,
) {
  const queryClient = useQueryClient();
  const intention = useIntention();
  const change = useMutation({
    meta: { showsErrors: true },
    mutationFn: async (preview: ChangePreviewResponse) => {
      const { kind, to_tier, proration_date } = preview;
      const what = `${kind} ${to_tier} ${proration_date}`;
      if (kind !== "checkout") {
        return intention.send(what, (key) =>
          billingApi.changePlan(organizationId, to_tier, proration_date, key),
        );
      }
      const pages = returnPages(organizationId);
      const { checkout_url } = await intention.send(what, (key) =>
        billingApi.createSubscriptionCheckout(organizationId, to_tier, pages, key),
      );
      window.location.assign(checkout_url);
      return null;
    },
    onSuccess: (changed, agreed) => {
      // On the way to the hosted page the dialog stays as it is.
      if (!changed) return;
      queryClient.setQueryData(subscriptionQuery(organizationId).queryKey, changed);
      onDone(agreed);
      refresh(queryClient, organizationId);
    },
    onError: (error, { to_tier }) => {
      // What was agreed to has not happened, so what is agreed to next is counted anew.
      if (!(error instanceof ApiError) || error.isUndecided) return;
      void queryClient.invalidateQueries({ queryKey: previewKey(organizationId, to_tier) });
    },
  });
  useBackAgain(change.reset);
  return change;
}

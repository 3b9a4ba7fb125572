"use client";

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { billingApi } from "@/lib/billing/api";
import { billingKeys, paymentMethodsQuery } from "@/lib/billing/queries";
import type { PaymentMethodResponse } from "@/lib/billing/types";

export function usePaymentMethods(organizationId: string) {
  return useQuery(paymentMethodsQuery(organizationId));
}

/** Asks again for what has changed. Nobody waits for it: the outcome is known before. */
function refresh(queryClient: QueryClient, organizationId: string): void {
  for (const topic of ["paymentMethods", "account"] as const) {
    void queryClient.invalidateQueries({ queryKey: billingKeys.of(topic, organizationId) });
  }
}

/** Saves a card that Stripe.js has made, or makes a saved one the default. */
export function useAttachPaymentMethod(organizationId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: (paymentMethodId: string) =>
      billingApi.attachPaymentMethod(organizationId, paymentMethodId),
    onSettled: () => refresh(queryClient, organizationId),
  });
}

/** Makes a saved card the default; shown at once, and taken back if the server says no. */
export function useSetDefaultPaymentMethod(organizationId: string) {
  const queryClient = useQueryClient();
  const { queryKey } = paymentMethodsQuery(organizationId);
  return useMutation({
    mutationFn: (paymentMethodId: string) =>
      billingApi.attachPaymentMethod(organizationId, paymentMethodId),
    onMutate: async (paymentMethodId) => {
      await queryClient.cancelQueries({ queryKey });
      const before = queryClient.getQueryData(queryKey);
      if (before) queryClient.setQueryData(queryKey, withDefault(before, paymentMethodId));
      return { before };
    },
    onError: (_error, _id, shown) => {
      if (shown?.before) queryClient.setQueryData(queryKey, shown.before);
    },
    onSettled: () => refresh(queryClient, organizationId),
  });
}

function withDefault(methods: PaymentMethodResponse[], id: string): PaymentMethodResponse[] {
  return methods.map((method) => ({ ...method, is_default: method.id === id }));
}

export function useRemovePaymentMethod(organizationId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: (paymentMethodId: string) =>
      billingApi.removePaymentMethod(organizationId, paymentMethodId),
    onSettled: () => refresh(queryClient, organizationId),
  });
}

/**
 * What a form for a card needs: asked for when it opens, and never kept. It stands apart from what
 * events make old: another one in place of it would empty the form, and the server makes few.
 */
export function useSetupIntent(organizationId: string) {
  return useQuery({
    queryKey: ["setup-intent", organizationId],
    queryFn: () => billingApi.createSetupIntent(organizationId, crypto.randomUUID()),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { billingApi } from "@/lib/billing/api";
import { accountQuery, billingKeys } from "@/lib/billing/queries";
import type { AccountSettingsRequest } from "@/lib/billing/types";

export function useBillingAccount(organizationId: string) {
  return useQuery(accountQuery(organizationId));
}

/** Changes who invoices are made out to, and whether and how far to charge automatically. */
export function useUpdateAccount(organizationId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: (changes: AccountSettingsRequest) =>
      billingApi.updateAccount(organizationId, changes),
    onSuccess: (account) => {
      queryClient.setQueryData(accountQuery(organizationId).queryKey, account);
      // Whether workflows go on depends on auto-billing. Not waited for: the account is known.
      queryClient.invalidateQueries({ queryKey: billingKeys.of("usageSummary", organizationId) });
    },
  });
}

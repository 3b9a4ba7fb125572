"use client";

import { useMutation } from "@tanstack/react-query";
import { billingApi } from "@/lib/billing/api";

/** Opens the customer's portal in this tab. */
export function useOpenPortal(organizationId: string) {
  return useMutation({
    mutationFn: () => billingApi.openPortal(organizationId),
    onSuccess: ({ portal_url }) => window.location.assign(portal_url),
  });
}

"use client";

import { useMutation } from "@tanstack/react-query";
import { useBackAgain } from "@/hooks/useBackAgain";
import { billingApi } from "@/lib/billing/api";

/** Opens the customer's portal in this tab. */
export function useOpenPortal(organizationId: string) {
  const open = useMutation({
    mutationFn: () => billingApi.openPortal(organizationId),
    onSuccess: ({ portal_url }) => window.location.assign(portal_url),
  });
  useBackAgain(open.reset);
  return open;
}

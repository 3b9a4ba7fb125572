"use client";

import { useQuery } from "@tanstack/react-query";
import { paymentMethodsQuery } from "@/lib/billing/queries";

export function usePaymentMethods(organizationId: string) {
  return useQuery(paymentMethodsQuery(organizationId));
}

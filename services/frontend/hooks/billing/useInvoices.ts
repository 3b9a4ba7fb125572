"use client";

import {
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useIdempotencyKey } from "@/hooks/useIdempotencyKey";
import { billingApi } from "@/lib/billing/api";
import {
  type BillingTopic,
  billingKeys,
  configQuery,
  invoiceQuery,
  invoicesQuery,
  invoiceUsageQuery,
  upcomingInvoiceQuery,
} from "@/lib/billing/queries";
import { getStripe } from "@/lib/billing/stripe";
import type { InvoiceStatus, PaymentResponse } from "@/lib/billing/types";

const AFTER_PAYING: BillingTopic[] = ["invoices", "account", "subscription", "usageSummary"];
const AFTER_BILLING: BillingTopic[] = ["invoices", "usage", "account", "credits"];

export function useInvoices(organizationId: string, status?: InvoiceStatus) {
  return useInfiniteQuery(invoicesQuery(organizationId, status));
}

export function useInvoice(organizationId: string, invoiceId: string) {
  return useQuery(invoiceQuery(organizationId, invoiceId));
}

export function useInvoiceUsage(organizationId: string, invoiceId: string) {
  return useInfiniteQuery(invoiceUsageQuery(organizationId, invoiceId));
}

/** What the next invoice would be now. */
export function useUpcomingInvoice(organizationId: string) {
  return useQuery(upcomingInvoiceQuery(organizationId));
}

function refresh(queryClient: QueryClient, organizationId: string, topics: BillingTopic[]) {
  return Promise.all(
    topics.map((topic) =>
      queryClient.invalidateQueries({ queryKey: billingKeys.of(topic, organizationId) }),
    ),
  );
}

/** Bills what is not billed yet. */
export function useGenerateInvoice(organizationId: string) {
  const queryClient = useQueryClient();
  const key = useIdempotencyKey();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: () => billingApi.generateInvoice(organizationId, key.current()),
    onSuccess: key.renew,
    onSettled: () => refresh(queryClient, organizationId, AFTER_BILLING),
  });
}

/** Pays an invoice; a bank that wants to know more is asked in this page. Resolves to the outcome. */
export function usePayInvoice(organizationId: string) {
  const queryClient = useQueryClient();
  const key = useIdempotencyKey();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: async (what: { invoiceId: string; paymentMethodId: string | null }) => {
      const { invoiceId, paymentMethodId } = what;
      const payment = await billingApi.payInvoice(invoiceId, paymentMethodId, key.current());
      const asked = payment.status === "requires_action" && payment.client_secret !== null;
      return asked ? confirmed(queryClient, payment) : payment;
    },
    // The next click is another attempt.
    onSettled: async () => {
      key.renew();
      await refresh(queryClient, organizationId, AFTER_PAYING);
    },
  });
}

async function confirmed(
  queryClient: QueryClient,
  payment: PaymentResponse,
): Promise<PaymentResponse> {
  const stripe = await getStripe(await queryClient.ensureQueryData(configQuery));
  const { paymentIntent, error } =
    (await stripe?.handleNextAction({ clientSecret: payment.client_secret ?? "" })) ?? {};
  if (paymentIntent?.status === "succeeded") return { ...payment, status: "succeeded" };
  if (paymentIntent?.status === "processing") return { ...payment, status: "pending" };
  const reason = error?.message ?? "Your bank did not confirm the payment.";
  return { ...payment, status: "failed", failure_message: reason };
}

"use client";

import {
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useIntention } from "@/hooks/useIntention";
import { ApiError } from "@/lib/api/errors";
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

/** Asks again for what has changed. Nobody waits for it: the outcome is known before. */
function refresh(queryClient: QueryClient, organizationId: string, topics: BillingTopic[]): void {
  for (const topic of topics) {
    void queryClient.invalidateQueries({ queryKey: billingKeys.of(topic, organizationId) });
  }
}

/** Bills what is not billed yet. */
export function useGenerateInvoice(organizationId: string) {
  const queryClient = useQueryClient();
  const intention = useIntention();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: () =>
      intention.send("generate", (key) => billingApi.generateInvoice(organizationId, key)),
    onSettled: () => refresh(queryClient, organizationId, AFTER_BILLING),
  });
}

export type PaymentOutcome = Pick<PaymentResponse, "status" | "failure_message">;

interface Wanted {
  invoiceId: string;
  paymentMethodId: string | null;
}

/** Pays an invoice; a bank that wants to know more is asked in this page. Resolves to the outcome. */
export function usePayInvoice(organizationId: string) {
  const queryClient = useQueryClient();
  const intention = useIntention();
  return useMutation({
    meta: { showsErrors: true },
    mutationFn: async ({ invoiceId, paymentMethodId }: Wanted): Promise<PaymentOutcome> => {
      const wasLost = intention.isOpen();
      try {
        const payment = await intention.send(`${invoiceId} ${paymentMethodId}`, (key) =>
          billingApi.payInvoice(invoiceId, paymentMethodId, key),
        );
        const asked = payment.status === "requires_action" && payment.client_secret !== null;
        return asked ? await confirmed(queryClient, payment) : payment;
      } catch (error) {
        // It was the click before this one that paid; only its answer got lost.
        const isPaid = error instanceof ApiError && error.code === "invoice_paid";
        if (wasLost && isPaid) return { status: "succeeded", failure_message: null };
        throw error;
      }
    },
    onSettled: () => refresh(queryClient, organizationId, AFTER_PAYING),
  });
}

async function confirmed(
  queryClient: QueryClient,
  payment: PaymentResponse,
): Promise<PaymentOutcome> {
  const stripe = await getStripe(await queryClient.ensureQueryData(configQuery));
  const { paymentIntent, error } =
    (await stripe?.handleNextAction({ clientSecret: payment.client_secret ?? "" })) ?? {};
  if (paymentIntent?.status === "succeeded") return { ...payment, status: "succeeded" };
  if (paymentIntent?.status === "processing") return { ...payment, status: "pending" };
  const reason = error?.message ?? "Your bank did not confirm the payment.";
  return { ...payment, status: "failed", failure_message: reason };
}

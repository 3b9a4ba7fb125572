// What is asked of the API, under which key it is remembered, and for how long it counts as fresh.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { billingApi } from "@/lib/billing/api";
import { type DayRange, type GroupBy, shiftDay } from "@/lib/billing/costs";
import type { InvoiceStatus } from "@/lib/billing/types";

const MINUTE = 60_000;
const SELDOM = 5 * MINUTE;
const OFTEN = MINUTE;

/** Keys are `['billing', <what>, <organization>, …]`: one `what` is invalidated as a whole. */
export const billingKeys = {
  all: ["billing"] as const,
  of: (what: BillingTopic, organization: string) => ["billing", what, organization] as const,
};

export type BillingTopic =
  | "account"
  | "credits"
  | "paymentMethods"
  | "subscription"
  | "usageSummary"
  | "usage"
  | "invoices"
  | "costs"
  | "checkout";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: billingApi.getSession,
  staleTime: SELDOM,
  // It also tells the time, and that it has ended.
  refetchInterval: SELDOM,
});

export const configQuery = queryOptions({
  queryKey: ["config"],
  queryFn: billingApi.getConfig,
  staleTime: Number.POSITIVE_INFINITY,
});

export const plansQuery = queryOptions({
  queryKey: ["plans"],
  queryFn: billingApi.listPlans,
  staleTime: SELDOM,
});

export const accountQuery = (organization: string) =>
  queryOptions({
    queryKey: billingKeys.of("account", organization),
    queryFn: () => billingApi.getBillingAccount(organization),
    staleTime: SELDOM,
  });

export const subscriptionQuery = (organization: string) =>
  queryOptions({
    queryKey: billingKeys.of("subscription", organization),
    queryFn: () => billingApi.getSubscription(organization),
    staleTime: SELDOM,
  });

export const usageSummaryQuery = (organization: string) =>
  queryOptions({
    queryKey: billingKeys.of("usageSummary", organization),
    queryFn: () => billingApi.getUsageSummary(organization),
    staleTime: OFTEN,
  });

export const paymentMethodsQuery = (organization: string) =>
  queryOptions({
    queryKey: billingKeys.of("paymentMethods", organization),
    queryFn: () => billingApi.listPaymentMethods(organization),
    staleTime: SELDOM,
  });

export const costSummaryQuery = (organization: string, from?: string, to?: string) =>
  queryOptions({
    queryKey: [...billingKeys.of("costs", organization), "summary", from, to],
    queryFn: () => billingApi.getCostSummary(organization, from, to),
    staleTime: OFTEN,
  });

export const creditsQuery = (organization: string) =>
  infiniteQueryOptions({
    queryKey: billingKeys.of("credits", organization),
    queryFn: ({ pageParam }) => billingApi.listCredits(organization, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    staleTime: OFTEN,
  });

export const invoicesQuery = (organization: string, status?: InvoiceStatus) =>
  infiniteQueryOptions({
    queryKey: [...billingKeys.of("invoices", organization), "list", status],
    queryFn: ({ pageParam }) => billingApi.listInvoices(organization, status, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    staleTime: SELDOM,
  });

export const invoiceQuery = (organization: string, invoiceId: string) =>
  queryOptions({
    queryKey: [...billingKeys.of("invoices", organization), "one", invoiceId],
    queryFn: () => billingApi.getInvoice(invoiceId),
    staleTime: SELDOM,
  });

export const invoiceUsageQuery = (organization: string, invoiceId: string) =>
  infiniteQueryOptions({
    queryKey: [...billingKeys.of("invoices", organization), "usage", invoiceId],
    queryFn: ({ pageParam }) => billingApi.listInvoiceUsage(invoiceId, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    staleTime: SELDOM,
  });

export const upcomingInvoiceQuery = (organization: string) =>
  queryOptions({
    queryKey: [...billingKeys.of("usage", organization), "upcoming"],
    queryFn: () => billingApi.getUpcomingInvoice(organization),
    staleTime: OFTEN,
  });

export const usageQuery = (organization: string, billed?: boolean) =>
  infiniteQueryOptions({
    queryKey: [...billingKeys.of("usage", organization), "records", billed],
    queryFn: ({ pageParam }) => billingApi.listUsage(organization, billed, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    staleTime: OFTEN,
  });

export const dailyCostsQuery = (organization: string, range: DayRange, by: GroupBy) =>
  queryOptions({
    queryKey: [...billingKeys.of("costs", organization), "daily", range.first, range.last, by],
    queryFn: () =>
      billingApi.getDailyCosts(
        organization,
        { from: range.first, to: shiftDay(range.last, 1) },
        by,
      ),
    staleTime: OFTEN,
  });

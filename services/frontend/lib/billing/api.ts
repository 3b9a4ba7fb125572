// Every call of the billing API, by the names of the client's document. Each throws ApiError.
import { client, idempotent, type Page, unwrap, unwrapPage } from "@/lib/api/client";
import type {
  AccountSettingsRequest,
  BillingAccountResponse,
  ChangePreviewResponse,
  CheckoutResponse,
  CheckoutStateResponse,
  CostSummaryResponse,
  CreditEntryResponse,
  DailyCostResponse,
  InvoiceResponse,
  InvoiceStatus,
  PaymentMethodResponse,
  PaymentResponse,
  PlansResponse,
  PortalResponse,
  SessionResponse,
  SetupIntentResponse,
  StatusResponse,
  StripeConfigResponse,
  SubscriptionResponse,
  Tier,
  UpcomingInvoiceResponse,
  UsageRecordResponse,
  UsageSummaryResponse,
} from "@/lib/billing/types";

const ACCOUNT = "/api/billing/account/{organization_id}";
const INVOICE = "/api/billing/invoices/{invoice_id}";

/** The pages of this site that a hosted page of Stripe's leads back to. */
export interface ReturnPages {
  success_url?: string;
  cancel_url?: string;
}

const of = (organization_id: string) => ({ params: { path: { organization_id } } });
const ofInvoice = (invoice_id: string) => ({ params: { path: { invoice_id } } });
const writing = (organization_id: string, key?: string) => ({
  params: { path: { organization_id }, ...idempotent(key) },
});

export const billingApi = {
  getSession: (): Promise<SessionResponse> => unwrap(client.GET("/api/billing/session")),

  /** Exchange a token for a cookie that scripts cannot read. */
  signIn: (token: string): Promise<SessionResponse> =>
    unwrap(client.POST("/api/billing/session", { headers: { Authorization: `Bearer ${token}` } })),

  signOut: async (): Promise<void> => {
    await unwrap(client.DELETE("/api/billing/session"));
  },

  getConfig: (): Promise<StripeConfigResponse> => unwrap(client.GET("/api/billing/config")),

  listPlans: (): Promise<PlansResponse> => unwrap(client.GET("/api/billing/plans")),

  getBillingAccount: (organization: string): Promise<BillingAccountResponse> =>
    unwrap(client.GET(ACCOUNT, of(organization))),

  /** Change what is named; what is left out stays. */
  updateAccount: (
    organization: string,
    changes: AccountSettingsRequest,
  ): Promise<BillingAccountResponse> =>
    unwrap(client.PATCH(ACCOUNT, { ...writing(organization), body: changes })),

  listCredits: (organization: string, cursor?: string): Promise<Page<CreditEntryResponse>> =>
    unwrapPage(
      client.GET(`${ACCOUNT}/credits`, {
        params: { path: { organization_id: organization }, query: { cursor, limit: 20 } },
      }),
    ),

  listPaymentMethods: (organization: string): Promise<PaymentMethodResponse[]> =>
    unwrap(client.GET(`${ACCOUNT}/payment-methods`, of(organization))),

  attachPaymentMethod: (
    organization: string,
    paymentMethodId: string,
    setAsDefault = true,
  ): Promise<PaymentMethodResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/payment-method`, {
        ...writing(organization),
        body: { payment_method_id: paymentMethodId, set_as_default: setAsDefault },
      }),
    ),

  removePaymentMethod: (organization: string, paymentMethodId: string): Promise<StatusResponse> =>
    unwrap(
      client.DELETE(`${ACCOUNT}/payment-methods/{payment_method_id}`, {
        params: { path: { organization_id: organization, payment_method_id: paymentMethodId } },
      }),
    ),

  createSetupIntent: (organization: string, key?: string): Promise<SetupIntentResponse> =>
    unwrap(client.POST(`${ACCOUNT}/setup-intent`, writing(organization, key))),

  getSubscription: (organization: string): Promise<SubscriptionResponse> =>
    unwrap(client.GET(`${ACCOUNT}/subscription`, of(organization))),

  getUsageSummary: (organization: string): Promise<UsageSummaryResponse> =>
    unwrap(client.GET(`${ACCOUNT}/usage-summary`, of(organization))),

  cancelSubscription: (organization: string, key?: string): Promise<StatusResponse> =>
    unwrap(client.POST(`${ACCOUNT}/subscription/cancel`, writing(organization, key))),

  reactivateSubscription: (organization: string, key?: string): Promise<StatusResponse> =>
    unwrap(client.POST(`${ACCOUNT}/subscription/reactivate`, writing(organization, key))),

  /** What changing to a plan would cost, and when; counted by the server. */
  previewChange: (organization: string, tier: Tier): Promise<ChangePreviewResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/subscription/preview`, { ...writing(organization), body: { tier } }),
    ),

  /** Change the plan as previewed: `prorationDate` is the preview's. */
  changePlan: (
    organization: string,
    tier: Tier,
    prorationDate: string | null,
    key?: string,
  ): Promise<SubscriptionResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/subscription/change`, {
        ...writing(organization, key),
        body: { tier, proration_date: prorationDate },
      }),
    ),

  createSubscriptionCheckout: (
    organization: string,
    tier: Tier,
    pages: ReturnPages,
    key?: string,
  ): Promise<CheckoutResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/subscription/checkout`, {
        ...writing(organization, key),
        body: { tier, ...pages },
      }),
    ),

  createCreditCheckout: (
    organization: string,
    amountUsd: number,
    pages: ReturnPages,
    key?: string,
  ): Promise<CheckoutResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/credits/checkout`, {
        ...writing(organization, key),
        body: { amount_usd: amountUsd, ...pages },
      }),
    ),

  createLifetimeCheckout: (
    organization: string,
    pages: ReturnPages,
    key?: string,
  ): Promise<CheckoutResponse> =>
    unwrap(
      client.POST(`${ACCOUNT}/lifetime/checkout`, { ...writing(organization, key), body: pages }),
    ),

  getCheckout: (organization: string, sessionId: string): Promise<CheckoutStateResponse> =>
    unwrap(
      client.GET(`${ACCOUNT}/checkout/{session_id}`, {
        params: { path: { organization_id: organization, session_id: sessionId } },
      }),
    ),

  openPortal: (organization: string): Promise<PortalResponse> =>
    unwrap(client.POST(`${ACCOUNT}/portal`, writing(organization))),

  listInvoices: (
    organization: string,
    status?: InvoiceStatus,
    cursor?: string,
  ): Promise<Page<InvoiceResponse>> =>
    unwrapPage(
      client.GET(`${ACCOUNT}/invoices`, {
        params: { path: { organization_id: organization }, query: { status, cursor, limit: 10 } },
      }),
    ),

  getInvoice: (invoiceId: string): Promise<InvoiceResponse> =>
    unwrap(client.GET(INVOICE, ofInvoice(invoiceId))),

  listInvoiceUsage: (invoiceId: string, cursor?: string): Promise<Page<UsageRecordResponse>> =>
    unwrapPage(
      client.GET(`${INVOICE}/usage`, {
        params: { path: { invoice_id: invoiceId }, query: { cursor, limit: 20 } },
      }),
    ),

  /** Collect an invoice; a declined card is an answer, too: read its status. */
  payInvoice: (
    invoiceId: string,
    paymentMethodId: string | null,
    key?: string,
  ): Promise<PaymentResponse> =>
    unwrap(
      client.POST(`${INVOICE}/pay`, {
        params: { path: { invoice_id: invoiceId }, ...idempotent(key) },
        body: { payment_method_id: paymentMethodId },
      }),
    ),

  /** What would be billed now; nothing is changed. */
  getUpcomingInvoice: (organization: string): Promise<UpcomingInvoiceResponse> =>
    unwrap(client.GET(`${ACCOUNT}/invoices/upcoming`, of(organization))),

  /** Bill all usage that is not billed yet; null when there is none. */
  generateInvoice: (organization: string, key?: string): Promise<InvoiceResponse | null> =>
    unwrap(client.POST(`${ACCOUNT}/invoices/generate`, writing(organization, key))),

  listUsage: (
    organization: string,
    billed?: boolean,
    cursor?: string,
  ): Promise<Page<UsageRecordResponse>> =>
    unwrapPage(
      client.GET(`${ACCOUNT}/usage`, {
        params: { path: { organization_id: organization }, query: { billed, cursor, limit: 10 } },
      }),
    ),

  getCostSummary: (
    organization: string,
    from?: string,
    to?: string,
  ): Promise<CostSummaryResponse> =>
    unwrap(
      client.GET(`${ACCOUNT}/costs/summary`, {
        params: { path: { organization_id: organization }, query: { from, to } },
      }),
    ),

  /** Days from `from` up to, and without, `to`. */
  getDailyCosts: (
    organization: string,
    range: { from: string; to: string },
    groupBy: "provider" | "model",
  ): Promise<DailyCostResponse[]> =>
    unwrap(
      client.GET(`${ACCOUNT}/costs/daily`, {
        params: {
          path: { organization_id: organization },
          query: { ...range, group_by: groupBy },
        },
      }),
    ),
};

// Answers of the gateway as tests need them: `aSubscription({ tier: "team" })`.
import type {
  BillingAccountResponse,
  ChangePreviewResponse,
  CostSummaryResponse,
  CreditEntryResponse,
  DailyCostResponse,
  InvoiceResponse,
  PaymentMethodResponse,
  PlansResponse,
  SessionResponse,
  StripeConfigResponse,
  SubscriptionResponse,
  UsageRecordResponse,
  UsageSummaryResponse,
} from "@/lib/billing/types";

export const ORGANIZATION = "acme";

export function aSession(changes: Partial<SessionResponse> = {}): SessionResponse {
  return {
    subject: "alice",
    is_operator: false,
    organizations: [{ organization_id: ORGANIZATION, role: "owner" }],
    expires_at: "2026-11-23T00:00:00Z",
    now: new Date().toISOString(),
    ...changes,
  };
}

export function anAccount(changes: Partial<BillingAccountResponse> = {}): BillingAccountResponse {
  return {
    id: "ba_1",
    organization_id: ORGANIZATION,
    stripe_customer_id: "cus_1",
    has_payment_method: true,
    status: "active",
    free_workflows_remaining: 5,
    free_workflows_reset_at: "2026-12-01T00:00:00Z",
    credit_balance: 25,
    credit_held: 0,
    credit_debt: 0,
    auto_billing_enabled: false,
    auto_billing_monthly_limit: null,
    billing_email: null,
    buyer: { name: null, address: null, tax_id: null },
    tax_exempt: false,
    total_workflows_completed: 12,
    total_amount_spent: 120,
    created_at: "2026-10-01T00:00:00Z",
    updated_at: "2026-11-01T00:00:00Z",
    ...changes,
  };
}

export function aSubscription(changes: Partial<SubscriptionResponse> = {}): SubscriptionResponse {
  return {
    id: "sub_1",
    organization_id: ORGANIZATION,
    billing_account_id: "ba_1",
    tier: "pro",
    status: "active",
    current_period_start: "2026-11-03T00:00:00Z",
    current_period_end: "2026-12-03T00:00:00Z",
    cancel_at_period_end: false,
    canceled_at: null,
    trial_start: null,
    trial_end: null,
    workflows_limit: 100,
    workflows_used: 37,
    workflows_remaining: 63,
    workflows_reserved: 0,
    workflows_reset_at: "2026-12-03T00:00:00Z",
    agents_limit: 5,
    agents_used: 2,
    storage_limit_gb: 50,
    storage_used_gb: 12.5,
    is_lifetime: false,
    lifetime_purchase_date: null,
    lifetime_purchase_amount: null,
    is_byo: false,
    byo_providers_configured: null,
    created_at: "2026-10-03T00:00:00Z",
    updated_at: "2026-11-03T00:00:00Z",
    pending_tier: null,
    pending_change_at: null,
    price: 79,
    suspended: false,
    grace_ends_at: null,
    warnings: [],
    ...changes,
  };
}

export function aUsageSummary(changes: Partial<UsageSummaryResponse> = {}): UsageSummaryResponse {
  return {
    organization_id: ORGANIZATION,
    subscription_tier: "pro",
    status: "active",
    suspended: false,
    period_start: "2026-11-03T00:00:00Z",
    period_end: "2026-12-03T00:00:00Z",
    workflows_limit: 100,
    workflows_used: 37,
    workflows_reserved: 0,
    workflows_remaining: 63,
    free_workflows_limit: 5,
    free_workflows_used: 0,
    free_workflows_remaining: 5,
    free_workflows_reset_at: "2026-12-01T00:00:00Z",
    auto_billed_workflows: 0,
    workflow_price: 10,
    agents_limit: 5,
    agents_used: 2,
    storage_limit_gb: 50,
    storage_used_gb: 12.5,
    credit_balance: 25,
    can_execute: true,
    reason: null,
    ...changes,
  };
}

export function thePlans(): PlansResponse {
  const plan = (
    tier: PlansResponse["plans"][number]["tier"],
    name: string,
    price: number | null,
    workflows: number,
  ) => ({
    tier,
    name,
    price,
    interval: tier === "lifetime" ? ("once" as const) : ("month" as const),
    workflows_limit: workflows,
    agents_limit: 5,
    storage_limit_gb: 50,
    notes: [],
    trial_days: 0,
  });
  return {
    workflow_price: 10,
    free_workflows_per_month: 5,
    plans: [
      plan("free", "Free", 0, 5),
      plan("starter", "Starter", 29, 20),
      plan("pro", "Pro", 79, 100),
      plan("team", "Team", 199, 500),
      plan("enterprise", "Enterprise", null, -1),
      plan("lifetime", "Lifetime", 499, 50),
      plan("byo", "Bring your own keys", 19, -1),
    ],
  };
}

export function aPreview(changes: Partial<ChangePreviewResponse> = {}): ChangePreviewResponse {
  return {
    kind: "upgrade",
    from_tier: "pro",
    to_tier: "team",
    due_now: 80,
    proration: 80,
    unused_time: -53.2,
    rest_of_period: 133.2,
    next_period: 199,
    proration_date: "2026-11-22T12:00:00Z",
    takes_effect_at: "2026-11-22T12:00:00Z",
    warnings: [],
    ...changes,
  };
}

export function aConfig(changes: Partial<StripeConfigResponse> = {}): StripeConfigResponse {
  return { publishable_key: "pk_test_1", is_configured: true, stripe_js_url: null, ...changes };
}

export function aPaymentMethod(
  changes: Partial<PaymentMethodResponse> = {},
): PaymentMethodResponse {
  return {
    id: "pm_1",
    type: "card",
    card_brand: "visa",
    card_last4: "4242",
    exp_month: 4,
    exp_year: 2030,
    is_default: true,
    ...changes,
  };
}

export function aCreditEntry(changes: Partial<CreditEntryResponse> = {}): CreditEntryResponse {
  return {
    id: "entry_1",
    sequence: 1,
    kind: "granted",
    lot_kind: "purchased",
    amount: 25,
    balance_after: 25,
    debt_after: 0,
    description: "Credits bought",
    reference: "cs_test_1",
    expires_at: null,
    created_at: "2026-11-20T09:00:00Z",
    ...changes,
  };
}

export function anInvoice(changes: Partial<InvoiceResponse> = {}): InvoiceResponse {
  return {
    id: "inv_1",
    organization_id: ORGANIZATION,
    invoice_number: "INV-7K2M9QXA3BCD-000042",
    billing_account_id: "ba_1",
    kind: "usage",
    ticket_id: null,
    stripe_invoice_id: null,
    status: "open",
    period_start: "2026-10-01T00:00:00Z",
    period_end: "2026-11-01T00:00:00Z",
    subtotal: 30,
    tax_amount: 0,
    discount_amount: 0,
    total: 30,
    credits_applied: 0,
    amount_due: 30,
    amount_paid: 0,
    amount_refunded: 0,
    amount_credited: 0,
    amount_disputed: 0,
    currency: "usd",
    line_items: [
      {
        position: 1,
        kind: "workflow_completion",
        description: "Workflows",
        quantity: 3,
        unit_price: 10,
        total: 30,
      },
    ],
    description: null,
    due_date: "2026-11-08T01:00:00Z",
    finalized_at: "2026-11-01T01:00:00Z",
    paid_at: null,
    voided_at: null,
    created_at: "2026-11-01T01:00:00Z",
    ...changes,
  };
}

export function aUsageRecord(changes: Partial<UsageRecordResponse> = {}): UsageRecordResponse {
  return {
    id: "record_1",
    billing_account_id: "ba_1",
    ticket_id: "TICKET-7",
    usage_type: "workflow_completion",
    quantity: 1,
    unit_price: 10,
    total_price: 10,
    free_tier_used: false,
    invoice_id: null,
    billed: false,
    usage_details: {
      covered_by: "auto_billing",
      occurred_at: "2026-11-20T08:00:00Z",
      source_id: "workflow-1",
      tier: "pro",
      workflow_id: "workflow-1",
    },
    recorded_at: "2026-11-20T08:00:00Z",
    billed_at: null,
    ...changes,
  };
}

export function aDailyCost(changes: Partial<DailyCostResponse> = {}): DailyCostResponse {
  return {
    date: "2026-11-20",
    provider: "anthropic",
    model: "claude-sonnet-4-5",
    cost: 1.5,
    tokens: 120_000,
    records: 12,
    unpriced_records: 0,
    ...changes,
  };
}

export function aCostSummary(changes: Partial<CostSummaryResponse> = {}): CostSummaryResponse {
  return {
    scope_type: "billing_account",
    scope_id: "ba_1",
    total_cost: 42.5,
    total_tokens: 3_400_000,
    record_count: 340,
    breakdown: [
      {
        provider: "anthropic",
        model: "claude-sonnet-4-5",
        cost: 30,
        tokens: 2_400_000,
        records: 240,
        unpriced_records: 0,
      },
      {
        provider: "openai",
        model: "gpt-5",
        cost: 12.5,
        tokens: 1_000_000,
        records: 100,
        unpriced_records: 0,
      },
    ],
    unpriced_records: 0,
    unpriced_tokens: 0,
    suspect_records: 0,
    ...changes,
  };
}

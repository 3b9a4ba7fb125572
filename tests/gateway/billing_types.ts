// The types of the client's document, word for word.

interface StripeConfigResponse {
  publishable_key: string | null;
  is_configured: boolean;
}

interface BillingAccountResponse {
  id: string;
  organization_id: string;
  stripe_customer_id: string | null;
  has_payment_method: boolean;
  status: string; // 'pending' | 'active' | 'suspended'
  free_workflows_remaining: number;
  free_workflows_reset_at: string | null; // ISO datetime
  credit_balance: number;
  auto_billing_enabled: boolean;
  billing_email: string | null;
  tax_exempt: boolean;
  total_workflows_completed: number;
  total_amount_spent: number;
  created_at: string | null;
  updated_at: string | null;
}

interface PaymentMethodRequest {
  payment_method_id: string; // From Stripe.js
  set_as_default: boolean;
}

interface PaymentMethodResponse {
  id: string;
  type: string;
  card_brand: string | null;
  card_last4: string | null;
  is_default: boolean;
}

interface SubscriptionResponse {
  id: string;
  organization_id: string;
  billing_account_id: string;
  tier: 'free' | 'starter' | 'pro' | 'team' | 'enterprise' | 'lifetime' | 'byo';
  status: 'active' | 'trialing' | 'past_due' | 'canceled' | 'paused' | 'incomplete';
  current_period_start: string | null;
  current_period_end: string | null;
  cancel_at_period_end: boolean;
  canceled_at: string | null;
  trial_start: string | null;
  trial_end: string | null;
  workflows_limit: number;
  workflows_used: number;
  workflows_remaining: number;
  agents_limit: number;
  storage_limit_gb: number;
  storage_used_gb: number;
  is_lifetime: boolean;
  lifetime_purchase_date: string | null;
  lifetime_purchase_amount: number | null;
  is_byo: boolean;
  byo_providers_configured: string[] | null;
  created_at: string | null;
  updated_at: string | null;
}

interface CreditPurchaseRequest {
  amount_usd: number; // 0 < amount <= 1000
  success_url?: string;
  cancel_url?: string;
}

interface LifetimePurchaseRequest {
  success_url?: string;
  cancel_url?: string;
}

interface CheckoutResponse {
  checkout_url: string;
  session_id: string;
}

interface PortalResponse {
  portal_url: string;
}

interface InvoiceResponse {
  id: string;
  invoice_number: string;
  billing_account_id: string;
  ticket_id: string | null;
  stripe_invoice_id: string | null;
  status: 'draft' | 'open' | 'paid' | 'past_due' | 'void';
  period_start: string | null;
  period_end: string | null;
  subtotal: number;
  tax_amount: number;
  discount_amount: number;
  total: number;
  credits_applied: number;
  amount_due: number;
  amount_paid: number;
  currency: string;
  line_items: LineItem[];
  description: string | null;
  due_date: string | null;
  finalized_at: string | null;
  paid_at: string | null;
  created_at: string | null;
}

interface UsageRecordResponse {
  id: string;
  billing_account_id: string;
  ticket_id: string | null;
  usage_type: string;
  quantity: number;
  unit_price: number;
  total_price: number;
  free_tier_used: boolean;
  invoice_id: string | null;
  billed: boolean;
  usage_details: Record<string, any> | null;
  recorded_at: string | null;
  billed_at: string | null;
}

interface CostSummaryResponse {
  scope_type: string;
  scope_id: string | null;
  total_cost: number;
  total_tokens: number;
  record_count: number;
  breakdown: CostBreakdownItem[];
}

interface CostBreakdownItem {
  provider: string;
  model: string;
  cost: number;
  tokens: number;
  records: number;
}

interface CostRecordResponse {
  id: string;
  task_id: string;
  agent_id: string | null;
  sandbox_id: string | null;
  billing_account_id: string | null;
  provider: string;
  model: string;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_cost: number;
  completion_cost: number;
  total_cost: number;
  recorded_at: string | null;
}

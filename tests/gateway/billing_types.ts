// The part of the client's document that this slice answers, word for word.

interface StripeConfigResponse {
  publishable_key: string | null;
  is_configured: boolean;
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

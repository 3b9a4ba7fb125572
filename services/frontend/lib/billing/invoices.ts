// What invoices and usage records say in words. Pure; every sum comes from the server.
import type { BadgeVariant } from "@/components/ui/badge";
import { API_ORIGIN } from "@/lib/api/client";
import type {
  CoveredBy,
  InvoiceResponse,
  InvoiceStatus,
  LineItem,
  UsageRecordResponse,
} from "@/lib/billing/types";
import { formatCost, formatDate, formatMoney } from "@/lib/format";

const STATUSES: Record<InvoiceStatus, { text: string; variant: BadgeVariant }> = {
  draft: { text: "Draft", variant: "outline" },
  open: { text: "Open", variant: "brand" },
  paid: { text: "Paid", variant: "success" },
  past_due: { text: "Past due", variant: "danger" },
  void: { text: "Void", variant: "neutral" },
};

export const INVOICE_STATUSES = Object.keys(STATUSES) as InvoiceStatus[];

export function invoiceBadge(status: InvoiceStatus): { text: string; variant: BadgeVariant } {
  return STATUSES[status];
}

/** A status that was read from an address; undefined for anything else. */
export function readStatus(text: string | null): InvoiceStatus | undefined {
  return INVOICE_STATUSES.find((status) => status === text);
}

export function isPayable(invoice: InvoiceResponse): boolean {
  return (invoice.status === "open" || invoice.status === "past_due") && invoice.amount_due > 0;
}

/** What is still to be paid of it, in dollars. */
export function leftToPay(invoice: InvoiceResponse): number {
  return invoice.amount_due - invoice.amount_credited - invoice.amount_paid;
}

/** Why nothing is to be paid for it any more, in the server's words; null while something is. */
export function whyNotPayable(invoice: InvoiceResponse): string | null {
  if (isPayable(invoice)) return null;
  if (invoice.status === "paid") return "This invoice is paid already.";
  if (invoice.status === "void") return "This invoice was voided: nothing is owed for it.";
  return "Nothing is due for this invoice.";
}

/** The day an invoice carries: when it became final, or else when it was begun. */
export function invoiceDate(invoice: InvoiceResponse): string {
  return formatDate(invoice.finalized_at ?? invoice.created_at);
}

/** What is known about its payment, in a few words. */
export function paymentLine(invoice: InvoiceResponse): string {
  if (invoice.status === "paid") return paidLine(invoice);
  if (invoice.status === "void") return `Voided ${formatDate(invoice.voided_at)}`;
  if (!invoice.due_date) return "";
  const was = invoice.status === "past_due" ? "Was due" : "Due";
  return `${was} ${formatDate(invoice.due_date)}`;
}

function paidLine(invoice: InvoiceResponse): string {
  if (invoice.amount_disputed > 0) return `${formatMoney(invoice.amount_disputed)} disputed`;
  if (invoice.amount_refunded > 0) return `${formatMoney(invoice.amount_refunded)} refunded`;
  if (invoice.total === 0) return "Nothing to pay";
  if (invoice.amount_due === 0) return "Covered by credits";
  if (invoice.amount_paid === 0) return "Settled by credit notes";
  return `Paid ${formatDate(invoice.paid_at)}`;
}

/** Sums from the subtotal down to what is due; those that change nothing are left out. */
export function invoiceSums(invoice: InvoiceResponse): { label: string; amount: number }[] {
  const sums = [
    { label: "Subtotal", amount: invoice.subtotal },
    { label: "Discount", amount: -invoice.discount_amount },
    { label: "Tax", amount: invoice.tax_amount },
    { label: "Total", amount: invoice.total },
    { label: "Credits applied", amount: -invoice.credits_applied },
  ];
  return sums.filter(({ label, amount }) => amount !== 0 || label === "Subtotal");
}

/** The period of a line, when it is another one than the invoice's. */
export function linePeriod(line: LineItem): string | null {
  return line.period_start && line.period_end
    ? `${formatDate(line.period_start)} – ${formatDate(line.period_end)}`
    : null;
}

/** What one of a line costs; null where that is less than can be told, so that the total says it. */
export function unitPrice(line: LineItem): string | null {
  return line.unit_price === 0 && line.total !== 0 ? null : formatCost(line.unit_price);
}

const COVERED: Record<CoveredBy, string> = {
  plan: "Included in plan",
  free: "Free workflow",
  credits: "Paid by credits",
  auto_billing: "Auto-billing",
  none: "To be invoiced",
};

/** What paid for a use. */
export function coverText(record: UsageRecordResponse): string {
  const covered = record.usage_details?.covered_by;
  return covered ? COVERED[covered] : record.billed ? "Billed" : "To be invoiced";
}

const USES: Record<UsageRecordResponse["usage_type"], string> = {
  workflow_completion: "Workflow",
  llm_cost: "LLM usage",
  storage: "Storage",
};

export function usageName(record: UsageRecordResponse): string {
  return USES[record.usage_type];
}

/** Where the document of a finalized invoice is. */
export function documentAddress(invoiceId: string, format: "pdf" | "html"): string {
  return `${API_ORIGIN}/api/billing/invoices/${encodeURIComponent(invoiceId)}/${format}`;
}

"use client";

import { Download, FileText } from "lucide-react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
import { InvoiceUsage } from "@/components/billing/InvoiceUsage";
import { Badge } from "@/components/ui/badge";
import { buttonVariants } from "@/components/ui/button";
import {
  Dialog,
  DialogBody,
  DialogContent,
  DialogDescription,
  DialogFooter,
  DialogHeader,
  DialogTitle,
} from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { useInvoice } from "@/hooks/billing/useInvoices";
import {
  documentAddress,
  invoiceBadge,
  invoiceDate,
  invoiceSums,
  isPayable,
  leftToPay,
  linePeriod,
  paymentLine,
  unitPrice,
} from "@/lib/billing/invoices";
import type { InvoiceResponse, LineItem } from "@/lib/billing/types";
import { formatDate, formatMoney, formatNumber } from "@/lib/format";
import { cn } from "@/lib/utils";

interface InvoiceDetailsProps {
  invoiceId: string;
  onClose: () => void;
  onPay: (invoice: InvoiceResponse) => void;
}

export default function InvoiceDetails({ invoiceId, onClose, onPay }: InvoiceDetailsProps) {
  const { organizationId } = useSession();
  const invoice = useInvoice(organizationId, invoiceId);
  return (
    <Dialog onClose={onClose}>
      <DialogContent className="sm:max-w-2xl">
        <DialogHeader>
          <DialogTitle className="break-words">
            {invoice.data?.invoice_number ?? "Invoice"}
          </DialogTitle>
          <DialogDescription>
            {invoice.data && `${invoiceDate(invoice.data)}. ${periodOf(invoice.data)}`}
            {invoice.isPending && "Loading…"}
          </DialogDescription>
        </DialogHeader>
        <QueryView query={invoice} skeleton={<DetailsSkeleton />}>
          {(data) => (
            <>
              <DialogBody className="space-y-5 pb-5">
                <Standing invoice={data} />
                <InvoiceLines lines={data.line_items} />
                <InvoiceSums invoice={data} />
                {data.kind === "usage" && <InvoiceUsage invoiceId={data.id} />}
              </DialogBody>
              <Buttons invoice={data} onPay={onPay} />
            </>
          )}
        </QueryView>
      </DialogContent>
    </Dialog>
  );
}

function periodOf(invoice: InvoiceResponse): string {
  if (!invoice.period_start || !invoice.period_end) return "";
  return `${formatDate(invoice.period_start)} – ${formatDate(invoice.period_end)}`;
}

function Standing({ invoice }: { invoice: InvoiceResponse }) {
  const badge = invoiceBadge(invoice.status);
  return (
    <p className="flex flex-wrap items-center gap-2 text-muted-foreground text-sm">
      <Badge variant={badge.variant}>{badge.text}</Badge>
      {paymentLine(invoice)}
      {invoice.stripe_invoice_id && <Badge variant="outline">Billed by Stripe</Badge>}
    </p>
  );
}

export function InvoiceLines({ lines }: { lines: LineItem[] }) {
  return (
    <table className="w-full text-sm">
      <caption className="sr-only">Lines</caption>
      <thead className="text-left text-muted-foreground text-xs">
        <tr className="border-border border-b">
          <th scope="col" className="py-2 font-medium">
            Description
          </th>
          <th scope="col" className="px-3 py-2 text-right font-medium max-sm:hidden">
            Quantity
          </th>
          <th scope="col" className="px-3 py-2 text-right font-medium max-sm:hidden">
            Price
          </th>
          <th scope="col" className="py-2 text-right font-medium">
            Total
          </th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <tr key={line.position} className="border-border border-b align-top">
            <td className="break-words py-2.5">
              {line.description}
              <span className="block text-muted-foreground text-xs">
                <span className="sm:hidden">
                  {formatNumber(line.quantity)}
                  {unitPrice(line) && ` × ${unitPrice(line)}`}{" "}
                </span>
                {linePeriod(line)}
                {line.corrects_invoice && ` Corrects ${line.corrects_invoice}`}
              </span>
            </td>
            <td className="px-3 py-2.5 text-right tabular-nums max-sm:hidden">
              {formatNumber(line.quantity)}
            </td>
            <td className="px-3 py-2.5 text-right tabular-nums max-sm:hidden">{unitPrice(line)}</td>
            <td className="py-2.5 text-right tabular-nums">{formatMoney(line.total)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function InvoiceSums({ invoice }: { invoice: InvoiceResponse }) {
  return (
    <dl className="ml-auto max-w-xs space-y-1.5 text-sm">
      {invoiceSums(invoice).map(({ label, amount }) => (
        <Sum key={label} label={label} amount={amount} />
      ))}
      <Sum label="Amount due" amount={invoice.amount_due} isStrong />
      {invoice.amount_credited > 0 && (
        <Sum label="Credit notes" amount={-invoice.amount_credited} />
      )}
      {invoice.amount_paid > 0 && <Sum label="Paid" amount={invoice.amount_paid} />}
      {invoice.amount_refunded > 0 && <Sum label="Refunded" amount={invoice.amount_refunded} />}
      {invoice.amount_disputed > 0 && <Sum label="Disputed" amount={invoice.amount_disputed} />}
    </dl>
  );
}

interface SumProps {
  label: string;
  amount: number;
  isStrong?: boolean;
}

function Sum({ label, amount, isStrong = false }: SumProps) {
  return (
    <div
      className={cn("flex justify-between gap-6", { "border-border border-t pt-1.5": isStrong })}
    >
      <dt className={isStrong ? "font-medium" : "text-muted-foreground"}>{label}</dt>
      <dd className={isStrong ? "font-semibold tabular-nums" : "tabular-nums"}>
        {formatMoney(amount)}
      </dd>
    </div>
  );
}

function Buttons({
  invoice,
  onPay,
}: { invoice: InvoiceResponse } & Pick<InvoiceDetailsProps, "onPay">) {
  return (
    <DialogFooter>
      {invoice.finalized_at && (
        <>
          <a
            href={documentAddress(invoice.id, "html")}
            target="_blank"
            rel="noopener"
            className={buttonVariants({ variant: "ghost" })}
          >
            <FileText aria-hidden="true" />
            View
          </a>
          <a
            href={documentAddress(invoice.id, "pdf")}
            download
            className={buttonVariants({ variant: "outline" })}
          >
            <Download aria-hidden="true" />
            Download PDF
          </a>
        </>
      )}
      {isPayable(invoice) && (
        <ManageButton onClick={() => onPay(invoice)}>
          Pay {formatMoney(leftToPay(invoice))}
        </ManageButton>
      )}
    </DialogFooter>
  );
}

function DetailsSkeleton() {
  return (
    <DialogBody className="space-y-4 pb-6">
      <Skeleton className="h-6 w-40" />
      <Skeleton className="h-28 w-full" />
      <Skeleton className="ml-auto h-20 w-60" />
    </DialogBody>
  );
}

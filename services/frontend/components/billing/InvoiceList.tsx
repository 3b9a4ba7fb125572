"use client";

import { Download, FilePlus2, ReceiptText } from "lucide-react";
import { Suspense, useState } from "react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { ShowMore } from "@/components/app/ShowMore";
import { Badge } from "@/components/ui/badge";
import { Button, buttonVariants } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import {
  Table,
  TableBody,
  TableCaption,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import { useInvoices } from "@/hooks/billing/useInvoices";
import { useUrlState } from "@/hooks/useUrlState";
import {
  documentAddress,
  INVOICE_STATUSES,
  invoiceBadge,
  invoiceDate,
  isPayable,
  paymentLine,
  readStatus,
} from "@/lib/billing/invoices";
import type { InvoiceResponse } from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";
import { lazyPart } from "@/lib/lazyPart";

const InvoiceDetails = lazyPart(() => import("@/components/billing/InvoiceDetails"));
const PayInvoiceDialog = lazyPart(() => import("@/components/billing/PayInvoiceDialog"));
const UpcomingInvoice = lazyPart(() => import("@/components/billing/UpcomingInvoice"));

const ROWS = ["a", "b", "c"];

export default function InvoiceList() {
  const { organizationId } = useSession();
  const [filter, setFilter] = useUrlState("status");
  const status = readStatus(filter);
  const invoices = useInvoices(organizationId, status);
  const [shown, setShown] = useUrlState("invoice");
  const [paying, setPaying] = useState<InvoiceResponse | null>(null);
  const [isBilling, setIsBilling] = useState(false);
  // One dialog at a time: what lies below another one could not be reached.
  const payShown = (invoice: InvoiceResponse) => {
    setShown(null);
    setPaying(invoice);
  };
  return (
    <Section
      id="invoices"
      title="Invoices"
      action={
        <>
          <Select
            aria-label="Invoices by status"
            value={status ?? ""}
            onChange={(event) => setFilter(event.target.value || null)}
          >
            <option value="">All invoices</option>
            {INVOICE_STATUSES.map((each) => (
              <option key={each} value={each}>
                {invoiceBadge(each).text}
              </option>
            ))}
          </Select>
          <Button variant="outline" onClick={() => setIsBilling(true)}>
            <FilePlus2 aria-hidden="true" />
            Next invoice
          </Button>
        </>
      }
    >
      <Card>
        <QueryView query={invoices} skeleton={<InvoicesSkeleton />}>
          {(data) => {
            const found = data.pages.flatMap((page) => page.items);
            if (found.length === 0)
              return <NoInvoices onShowAll={status && (() => setFilter(null))} />;
            return (
              <>
                <Invoices invoices={found} onShow={setShown} onPay={setPaying} />
                <ShowMore query={invoices} className="border-border border-t px-5 py-3 sm:px-6">
                  Show older invoices
                </ShowMore>
              </>
            );
          }}
        </QueryView>
      </Card>
      <Suspense>
        {shown && (
          <InvoiceDetails invoiceId={shown} onClose={() => setShown(null)} onPay={payShown} />
        )}
        {paying && <PayInvoiceDialog invoice={paying} onClose={() => setPaying(null)} />}
        {isBilling && <UpcomingInvoice onClose={() => setIsBilling(false)} onShow={setShown} />}
      </Suspense>
    </Section>
  );
}

/** `onShowAll` where a filter left nothing. */
function NoInvoices({ onShowAll }: { onShowAll: (() => void) | undefined }) {
  if (!onShowAll) {
    return (
      <Empty icon={ReceiptText} title="No invoices yet">
        What your plan does not cover is billed on the 1st of each month, and stands here then.
      </Empty>
    );
  }
  return (
    <Empty
      icon={ReceiptText}
      title="None of these"
      action={
        <Button variant="outline" size="sm" onClick={onShowAll}>
          Show all invoices
        </Button>
      }
    >
      No invoice has this status.
    </Empty>
  );
}

interface InvoicesProps {
  invoices: InvoiceResponse[];
  onShow: (invoiceId: string) => void;
  onPay: (invoice: InvoiceResponse) => void;
}

/** A table where there is room, and a list of the same on a phone. */
function Invoices(props: InvoicesProps) {
  return (
    <>
      <div className="max-sm:hidden">
        <Table>
          <TableCaption>Invoices, newest first</TableCaption>
          <TableHeader>
            <TableRow>
              <TableHead>Invoice</TableHead>
              <TableHead>Date</TableHead>
              <TableHead>Status</TableHead>
              <TableHead className="text-right">Amount</TableHead>
              <TableHead>
                <span className="sr-only">Actions</span>
              </TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {props.invoices.map((invoice) => (
              <InvoiceRow key={invoice.id} invoice={invoice} {...props} />
            ))}
          </TableBody>
        </Table>
      </div>
      <ul className="divide-y divide-border sm:hidden">
        {props.invoices.map((invoice) => (
          <InvoiceItem key={invoice.id} invoice={invoice} {...props} />
        ))}
      </ul>
    </>
  );
}

type OneInvoiceProps = Omit<InvoicesProps, "invoices"> & { invoice: InvoiceResponse };

function InvoiceRow({ invoice, onShow, onPay }: OneInvoiceProps) {
  return (
    <TableRow>
      <TableCell>
        <NumberButton invoice={invoice} onShow={onShow} />
      </TableCell>
      <TableCell className="whitespace-nowrap">{invoiceDate(invoice)}</TableCell>
      <TableCell>
        <StatusBadge invoice={invoice} />
        <span className="ml-2 whitespace-nowrap text-muted-foreground text-xs max-lg:hidden">
          {paymentLine(invoice)}
        </span>
      </TableCell>
      <TableCell className="text-right tabular-nums">{formatMoney(invoice.total)}</TableCell>
      <TableCell className="py-1.5 text-right">
        <Actions invoice={invoice} onPay={onPay} />
      </TableCell>
    </TableRow>
  );
}

function InvoiceItem({ invoice, onShow, onPay }: OneInvoiceProps) {
  return (
    <li className="space-y-2 px-5 py-4">
      <div className="flex items-baseline justify-between gap-3">
        <NumberButton invoice={invoice} onShow={onShow} />
        <span className="font-medium text-sm tabular-nums">{formatMoney(invoice.total)}</span>
      </div>
      <div className="flex items-center justify-between gap-3">
        <p className="text-muted-foreground text-xs">
          <StatusBadge invoice={invoice} />
          <span className="ml-2">{paymentLine(invoice) || invoiceDate(invoice)}</span>
        </p>
        <Actions invoice={invoice} onPay={onPay} />
      </div>
    </li>
  );
}

function NumberButton({ invoice, onShow }: Pick<OneInvoiceProps, "invoice" | "onShow">) {
  return (
    <button
      type="button"
      onClick={() => onShow(invoice.id)}
      className="max-w-full truncate rounded-sm text-left font-medium text-sm tabular-nums underline-offset-4 hover:underline pointer-coarse:min-h-11"
    >
      {invoice.invoice_number}
    </button>
  );
}

export function StatusBadge({ invoice }: { invoice: InvoiceResponse }) {
  const badge = invoiceBadge(invoice.status);
  return <Badge variant={badge.variant}>{badge.text}</Badge>;
}

function Actions({ invoice, onPay }: Pick<OneInvoiceProps, "invoice" | "onPay">) {
  return (
    <span className="inline-flex items-center gap-1">
      {isPayable(invoice) && (
        <ManageButton
          size="sm"
          aria-label={`Pay ${invoice.invoice_number}`}
          onClick={() => onPay(invoice)}
        >
          Pay
        </ManageButton>
      )}
      {invoice.finalized_at && (
        <a
          href={documentAddress(invoice.id, "pdf")}
          download
          aria-label={`Download ${invoice.invoice_number} as PDF`}
          className={buttonVariants({ variant: "ghost", size: "icon" })}
        >
          <Download aria-hidden="true" />
        </a>
      )}
    </span>
  );
}

function InvoicesSkeleton() {
  return (
    <div className="divide-y divide-border">
      {ROWS.map((row) => (
        <div key={row} className="flex h-13 items-center justify-between px-5 sm:px-6">
          <Skeleton className="h-4 w-48" />
          <Skeleton className="h-4 w-20" />
        </div>
      ))}
    </div>
  );
}

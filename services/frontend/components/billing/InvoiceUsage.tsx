"use client";

import { useState } from "react";
import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
import { ShowMore } from "@/components/app/ShowMore";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { useInvoiceUsage } from "@/hooks/billing/useInvoices";
import { usageName } from "@/lib/billing/invoices";
import { formatCost, formatDateTime } from "@/lib/format";

/** The uses behind an invoice, asked for when someone wants to see them. */
export function InvoiceUsage({ invoiceId }: { invoiceId: string }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <div>
      <Button
        variant="link"
        size="sm"
        aria-expanded={isOpen}
        onClick={() => setIsOpen((before) => !before)}
      >
        {isOpen ? "Hide the usage behind it" : "Show the usage behind it"}
      </Button>
      {isOpen && <Records invoiceId={invoiceId} />}
    </div>
  );
}

function Records({ invoiceId }: { invoiceId: string }) {
  const { organizationId } = useSession();
  const usage = useInvoiceUsage(organizationId, invoiceId);
  return (
    <QueryView query={usage} skeleton={<Skeleton className="mt-3 h-20 w-full" />}>
      {(data) => (
        <>
          <ul aria-label="Usage" className="mt-2 divide-y divide-border text-sm">
            {data.pages
              .flatMap((page) => page.items)
              .map((record) => (
                <li key={record.id} className="flex justify-between gap-4 py-2">
                  <span className="min-w-0">
                    <span className="block truncate">
                      {usageName(record)} {record.usage_details?.source_id}
                    </span>
                    <span className="text-muted-foreground text-xs">
                      {formatDateTime(record.usage_details?.occurred_at ?? record.recorded_at)}
                    </span>
                  </span>
                  <span className="tabular-nums">{formatCost(record.total_price)}</span>
                </li>
              ))}
          </ul>
          <ShowMore query={usage}>Show more</ShowMore>
        </>
      )}
    </QueryView>
  );
}

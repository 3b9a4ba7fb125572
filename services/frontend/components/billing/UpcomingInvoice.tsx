"use client";

import { toast } from "sonner";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
import { InvoiceLines, InvoiceSums } from "@/components/billing/InvoiceDetails";
import { Alert } from "@/components/ui/alert";
import {
  Dialog,
  DialogBody,
  DialogClose,
  DialogContent,
  DialogDescription,
  DialogFooter,
  DialogHeader,
  DialogTitle,
} from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { useGenerateInvoice, useUpcomingInvoice } from "@/hooks/billing/useInvoices";
import { messageOf } from "@/lib/api/errors";
import type { UpcomingInvoiceResponse } from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";

interface UpcomingInvoiceProps {
  onClose: () => void;
  onShow: (invoiceId: string) => void;
}

/** What would be billed now, and the button that bills it. */
export default function UpcomingInvoice({ onClose, onShow }: UpcomingInvoiceProps) {
  const { organizationId } = useSession();
  const upcoming = useUpcomingInvoice(organizationId);
  const generate = useGenerateInvoice(organizationId);
  const bill = () =>
    generate.mutate(undefined, {
      onSuccess: (invoice) => {
        toast.success(invoice ? "Your invoice is ready." : "There was nothing to bill.");
        onClose();
        if (invoice) onShow(invoice.id);
      },
    });
  return (
    <Dialog onClose={onClose} busy={generate.isPending}>
      <DialogContent className="sm:max-w-2xl">
        <DialogHeader>
          <DialogTitle>Next invoice</DialogTitle>
          <DialogDescription>
            What is not billed yet. It is billed on the 1st of the month, or now if you like.
          </DialogDescription>
        </DialogHeader>
        <DialogBody className="space-y-5 pb-5">
          <QueryView query={upcoming} skeleton={<Skeleton className="h-32 w-full" />}>
            {(data) => <Upcoming upcoming={data} />}
          </QueryView>
          {generate.error && (
            <Alert role="alert" variant="danger" title={messageOf(generate.error)} />
          )}
        </DialogBody>
        <DialogFooter>
          <DialogClose>Close</DialogClose>
          {upcoming.data?.invoice && (
            <ManageButton busy={generate.isPending} onClick={bill}>
              Generate invoice now
            </ManageButton>
          )}
        </DialogFooter>
      </DialogContent>
    </Dialog>
  );
}

function Upcoming({ upcoming }: { upcoming: UpcomingInvoiceResponse }) {
  if (!upcoming.invoice) {
    return (
      <Alert title="Nothing to bill">
        {upcoming.carried > 0
          ? `${formatMoney(upcoming.carried)} is too little for an invoice of its own; it comes with the next one.`
          : "All your usage is covered by your plan, or is billed already."}
      </Alert>
    );
  }
  return (
    <>
      <InvoiceLines lines={upcoming.invoice.line_items} />
      <InvoiceSums invoice={upcoming.invoice} />
    </>
  );
}

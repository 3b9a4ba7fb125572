"use client";

import { useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { QueryView } from "@/components/app/QueryView";
import { headingOf } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
import { Button } from "@/components/ui/button";
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
import { Label } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { useInvoice, usePayInvoice } from "@/hooks/billing/useInvoices";
import { usePaymentMethods } from "@/hooks/billing/usePaymentMethods";
import { messageOf } from "@/lib/api/errors";
import { methodName } from "@/lib/billing/cards";
import { leftToPay, whyNotPayable } from "@/lib/billing/invoices";
import type { InvoiceResponse, PaymentMethodResponse } from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";

interface PayInvoiceDialogProps {
  invoice: InvoiceResponse;
  onClose: () => void;
}

export default function PayInvoiceDialog({ invoice: opened, onClose }: PayInvoiceDialogProps) {
  const { organizationId } = useSession();
  const pay = usePayInvoice(organizationId);
  // As it stands now, and not as it was when the dialog opened: another tab may have paid it.
  const invoice = useInvoice(organizationId, opened.id).data ?? opened;
  const reason = pay.isPending ? null : whyNotPayable(invoice);
  return (
    <Dialog onClose={onClose} busy={pay.isPending}>
      <DialogContent
        className="sm:max-w-md"
        // The button that led here is gone when nothing is to pay.
        finalFocus={() => (reason ? headingOf("invoices") : true)}
      >
        <DialogHeader>
          <DialogTitle>
            {reason ? "Nothing to pay" : `Pay ${formatMoney(leftToPay(invoice))}`}
          </DialogTitle>
          <DialogDescription className="break-words">{invoice.invoice_number}</DialogDescription>
        </DialogHeader>
        {reason ? (
          <NothingToPay reason={reason} />
        ) : (
          <PayBody invoice={invoice} pay={pay} onClose={onClose} />
        )}
      </DialogContent>
    </Dialog>
  );
}

function NothingToPay({ reason }: { reason: string }) {
  const message = useRef<HTMLDivElement>(null);
  // It stands where the button was that had the focus.
  useEffect(() => message.current?.focus(), []);
  return (
    <>
      <DialogBody className="pb-5">
        <Alert ref={message} role="alert" tabIndex={-1} title={reason} />
      </DialogBody>
      <DialogFooter>
        <DialogClose>Done</DialogClose>
      </DialogFooter>
    </>
  );
}

interface PayBodyProps extends PayInvoiceDialogProps {
  pay: ReturnType<typeof usePayInvoice>;
}

function PayBody({ invoice, pay, onClose }: PayBodyProps) {
  const { organizationId } = useSession();
  const methods = usePaymentMethods(organizationId);
  return (
    <QueryView
      query={methods}
      skeleton={
        <DialogBody className="pb-6">
          <Skeleton className="h-9 w-full" />
        </DialogBody>
      }
    >
      {(data) =>
        data.length === 0 ? (
          <DialogBody className="pb-6">
            <Alert title="There is no card to charge">
              Add one under payment methods, then come back here.
            </Alert>
          </DialogBody>
        ) : (
          <PayForm invoice={invoice} methods={data} pay={pay} onClose={onClose} />
        )
      }
    </QueryView>
  );
}

interface PayFormProps extends PayBodyProps {
  methods: PaymentMethodResponse[];
}

function PayForm({ invoice, methods, pay, onClose }: PayFormProps) {
  const usual = methods.find((method) => method.is_default) ?? methods[0];
  const [chosen, setChosen] = useState(usual?.id ?? "");
  const declined = pay.data?.status === "failed" ? pay.data.failure_message : null;

  const submit = () =>
    pay.mutate(
      { invoiceId: invoice.id, paymentMethodId: chosen },
      {
        onSuccess: ({ status }) => {
          if (status === "failed") return;
          toast.success(
            status === "succeeded" ? "The invoice is paid." : "The payment is on its way.",
          );
          onClose();
        },
      },
    );

  return (
    <>
      <DialogBody className="space-y-4 pb-5">
        <div>
          <Label htmlFor="pay-with">Pay with</Label>
          <Select
            id="pay-with"
            className="mt-1.5 flex"
            value={chosen}
            onChange={(event) => setChosen(event.target.value)}
          >
            {methods.map((method) => (
              <option key={method.id} value={method.id}>
                {methodName(method)}
                {method.is_default ? " (default)" : ""}
              </option>
            ))}
          </Select>
        </div>
        {pay.data?.status === "failed" && (
          <Alert role="alert" variant="danger" title={declined ?? "The card was declined."}>
            Nothing was charged. Try another card.
          </Alert>
        )}
        {pay.error && <Alert role="alert" variant="danger" title={messageOf(pay.error)} />}
      </DialogBody>
      <DialogFooter>
        <DialogClose>Not now</DialogClose>
        <Button busy={pay.isPending} onClick={submit}>
          Pay {formatMoney(leftToPay(invoice))}
        </Button>
      </DialogFooter>
    </>
  );
}

"use client";

import { useRef } from "react";
import { headingOf } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import {
  AlertDialog,
  AlertDialogClose,
  AlertDialogContent,
  AlertDialogDescription,
  AlertDialogTitle,
} from "@/components/ui/alert-dialog";
import { Button } from "@/components/ui/button";
import { DialogBody, DialogFooter, DialogHeader } from "@/components/ui/dialog";
import { useCancelSubscription } from "@/hooks/billing/useSubscriptionChanges";
import { messageOf } from "@/lib/api/errors";
import type { SubscriptionResponse } from "@/lib/billing/types";
import { formatDate } from "@/lib/format";

interface CancelDialogProps {
  subscription: SubscriptionResponse;
  name: string;
  onClose: () => void;
}

export default function CancelDialog({ subscription, name, onClose }: CancelDialogProps) {
  const { organizationId } = useSession();
  const cancel = useCancelSubscription(organizationId);
  const isDone = useRef(false);
  const done = () => {
    isDone.current = true;
    onClose();
  };
  const end = formatDate(subscription.current_period_end);
  return (
    <AlertDialog onClose={onClose} busy={cancel.isPending}>
      <AlertDialogContent
        className="sm:max-w-md"
        // The button that led here goes with what it was about.
        finalFocus={() => (isDone.current ? headingOf("plan") : true)}
      >
        <DialogHeader className="pr-6">
          <AlertDialogTitle className="font-semibold text-lg tracking-tight">
            Cancel the {name} plan?
          </AlertDialogTitle>
          <AlertDialogDescription className="text-muted-foreground text-sm leading-relaxed">
            It stays as it is until {end}, and is not renewed. Nothing is refunded, and usage until
            then is still billed.
          </AlertDialogDescription>
        </DialogHeader>
        <DialogBody className="pb-5">
          <ul className="list-disc space-y-1.5 pl-5 text-sm marker:text-muted-foreground">
            <li>After {end} the limits of the free plan apply.</li>
            <li>Credits, invoices and payment methods stay.</li>
            <li>Until then you can reactivate it at any time.</li>
          </ul>
          {cancel.error && (
            <p role="alert" className="mt-4 text-danger text-sm">
              {messageOf(cancel.error)}
            </p>
          )}
        </DialogBody>
        <DialogFooter>
          <AlertDialogClose disabled={cancel.isPending}>Keep plan</AlertDialogClose>
          <Button
            variant="destructive"
            busy={cancel.isPending}
            onClick={() => cancel.mutate(undefined, { onSuccess: done })}
          >
            Cancel plan
          </Button>
        </DialogFooter>
      </AlertDialogContent>
    </AlertDialog>
  );
}

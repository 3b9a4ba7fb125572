"use client";

import { useRef } from "react";
import { toast } from "sonner";
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
import { useRemovePaymentMethod } from "@/hooks/billing/usePaymentMethods";
import { messageOf } from "@/lib/api/errors";
import { spokenName } from "@/lib/billing/cards";
import type { PaymentMethodResponse } from "@/lib/billing/types";

interface RemoveCardDialogProps {
  method: PaymentMethodResponse;
  onClose: () => void;
}

export default function RemoveCardDialog({ method, onClose }: RemoveCardDialogProps) {
  const { organizationId } = useSession();
  const remove = useRemovePaymentMethod(organizationId);
  const name = spokenName(method);
  const isDone = useRef(false);
  const done = () => {
    isDone.current = true;
    toast.success(`${name} is removed.`);
    onClose();
  };
  return (
    <AlertDialog onClose={onClose} busy={remove.isPending}>
      <AlertDialogContent
        className="sm:max-w-md"
        // The button that led here goes with what it was about.
        finalFocus={() => (isDone.current ? headingOf("payment-methods") : true)}
      >
        <DialogHeader className="pr-6">
          <AlertDialogTitle className="font-semibold text-lg tracking-tight">
            Remove {name}?
          </AlertDialogTitle>
          <AlertDialogDescription className="text-muted-foreground text-sm leading-relaxed">
            It cannot be charged any more.
            {method.is_default && " The newest of the other cards becomes the default."}
          </AlertDialogDescription>
        </DialogHeader>
        {remove.error && (
          <DialogBody className="pb-5">
            <p role="alert" className="text-danger text-sm">
              {messageOf(remove.error)}
            </p>
          </DialogBody>
        )}
        <DialogFooter>
          <AlertDialogClose disabled={remove.isPending}>Keep card</AlertDialogClose>
          <Button
            variant="destructive"
            busy={remove.isPending}
            onClick={() => remove.mutate(method.id, { onSuccess: done })}
          >
            Remove card
          </Button>
        </DialogFooter>
      </AlertDialogContent>
    </AlertDialog>
  );
}

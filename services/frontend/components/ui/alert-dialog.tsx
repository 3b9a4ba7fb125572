"use client";

import { AlertDialog as Base } from "@base-ui/react/alert-dialog";
import type { ComponentProps } from "react";
import { Button } from "@/components/ui/button";
import { BACKDROP, type DialogProps, POPUP } from "@/components/ui/dialog";
import { cn } from "@/lib/utils";

/** A question that must be answered: a click beside it does not close it. */
export function AlertDialog({ onClose, busy = false, children }: DialogProps) {
  return (
    <Base.Root open onOpenChange={(isOpen) => !isOpen && !busy && onClose()}>
      {children}
    </Base.Root>
  );
}

export function AlertDialogClose({ disabled, children }: ComponentProps<typeof Base.Close>) {
  return (
    <Base.Close disabled={disabled} render={<Button variant="outline" />}>
      {children}
    </Base.Close>
  );
}

export const AlertDialogTitle = Base.Title;
export const AlertDialogDescription = Base.Description;

export function AlertDialogContent({
  className,
  children,
  ...props
}: ComponentProps<typeof Base.Popup>) {
  return (
    <Base.Portal>
      <Base.Backdrop data-slot="alert-dialog-backdrop" className={BACKDROP} />
      <Base.Popup data-slot="alert-dialog-content" className={cn(POPUP, className)} {...props}>
        {children}
      </Base.Popup>
    </Base.Portal>
  );
}

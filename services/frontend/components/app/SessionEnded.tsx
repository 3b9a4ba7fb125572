"use client";

import { SignInForm } from "@/components/app/SignIn";
import {
  AlertDialog,
  AlertDialogContent,
  AlertDialogDescription,
  AlertDialogTitle,
} from "@/components/ui/alert-dialog";
import { DialogBody, DialogHeader } from "@/components/ui/dialog";

/** Stands over a page whose session has ended: what is half done below it stays. */
export default function SessionEnded() {
  return (
    <AlertDialog onClose={() => undefined} busy>
      <AlertDialogContent className="sm:max-w-md">
        <DialogHeader className="pr-6">
          <AlertDialogTitle className="font-semibold text-lg tracking-tight">
            Your session has ended
          </AlertDialogTitle>
          <AlertDialogDescription className="text-muted-foreground text-sm leading-relaxed">
            Sign in again to go on. What you have typed is still there.
          </AlertDialogDescription>
        </DialogHeader>
        <DialogBody className="pb-6">
          <SignInForm />
        </DialogBody>
      </AlertDialogContent>
    </AlertDialog>
  );
}

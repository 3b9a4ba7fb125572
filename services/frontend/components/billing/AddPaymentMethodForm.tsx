"use client";

import { Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";
import type { Stripe } from "@stripe/stripe-js";
import { Lock } from "lucide-react";
import { useTheme } from "next-themes";
import { type FormEvent, useRef, useState } from "react";
import { toast } from "sonner";
import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
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
import { Skeleton } from "@/components/ui/skeleton";
import { useAttachPaymentMethod, useSetupIntent } from "@/hooks/billing/usePaymentMethods";
import { useStripe as useStripeScript } from "@/hooks/billing/useStripe";
import { messageOf } from "@/lib/api/errors";
import { methodIdOf } from "@/lib/billing/stripe";

interface AddPaymentMethodFormProps {
  onClose: () => void;
}

/** Saves a card with Stripe's own form; its number never touches this page. */
export default function AddPaymentMethodForm({ onClose }: AddPaymentMethodFormProps) {
  const { organizationId } = useSession();
  const stripe = useStripeScript();
  const intent = useSetupIntent(organizationId);
  const { resolvedTheme } = useTheme();
  return (
    <Dialog open onOpenChange={(isOpen) => !isOpen && onClose()}>
      <DialogContent className="sm:max-w-md">
        <DialogHeader>
          <DialogTitle>Add a card</DialogTitle>
          <DialogDescription>It becomes the default for renewals and invoices.</DialogDescription>
        </DialogHeader>
        <QueryView query={stripe} skeleton={<FormSkeleton />}>
          {(script) => (
            <QueryView query={intent} skeleton={<FormSkeleton />}>
              {({ client_secret }) => (
                <Elements
                  stripe={script as Stripe | null}
                  options={{
                    clientSecret: client_secret,
                    appearance: { theme: resolvedTheme === "dark" ? "night" : "stripe" },
                  }}
                >
                  <CardForm onClose={onClose} />
                </Elements>
              )}
            </QueryView>
          )}
        </QueryView>
      </DialogContent>
    </Dialog>
  );
}

function CardForm({ onClose }: AddPaymentMethodFormProps) {
  const { organizationId } = useSession();
  const [stripe, elements] = [useStripe(), useElements()];
  const attach = useAttachPaymentMethod(organizationId);
  const [isReady, setIsReady] = useState(false);
  const [isConfirming, setIsConfirming] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  const message = useRef<HTMLParagraphElement>(null);

  const refuse = (text: string) => {
    setRefused(text);
    // Drawn first, so that there is something to go to.
    requestAnimationFrame(() => message.current?.focus());
  };

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!stripe || !elements || isConfirming) return;
    setIsConfirming(true);
    setRefused(null);
    try {
      const { error, setupIntent } = await stripe.confirmSetup({
        elements,
        redirect: "if_required",
        confirmParams: { return_url: window.location.href },
      });
      if (error) return refuse(error.message ?? "The card was not accepted.");
      await attach.mutateAsync(methodIdOf(setupIntent));
      toast.success("Your card is saved.");
      onClose();
    } catch (error) {
      refuse(messageOf(error));
    } finally {
      setIsConfirming(false);
    }
  };

  return (
    <form onSubmit={save} className="contents">
      <DialogBody className="pb-5">
        {!isReady && <FormSkeletonBody />}
        <div className={isReady ? undefined : "sr-only"}>
          <PaymentElement onReady={() => setIsReady(true)} />
        </div>
        <p
          ref={message}
          role="alert"
          tabIndex={-1}
          className="mt-3 text-danger text-sm outline-none empty:hidden"
        >
          {refused}
        </p>
        <p className="mt-4 flex items-center gap-2 text-muted-foreground text-xs">
          <Lock aria-hidden="true" className="size-3.5" />
          The number goes to Stripe only.
        </p>
      </DialogBody>
      <DialogFooter>
        <DialogClose render={<Button variant="outline" />}>Not now</DialogClose>
        <Button type="submit" busy={isConfirming} disabled={!isReady}>
          Save card
        </Button>
      </DialogFooter>
    </form>
  );
}

function FormSkeletonBody() {
  return (
    <div className="space-y-3" aria-hidden="true">
      <Skeleton className="h-10 w-full rounded-lg" />
      <div className="grid grid-cols-2 gap-3">
        <Skeleton className="h-10 rounded-lg" />
        <Skeleton className="h-10 rounded-lg" />
      </div>
    </div>
  );
}

function FormSkeleton() {
  return (
    <DialogBody className="pb-6">
      <FormSkeletonBody />
    </DialogBody>
  );
}

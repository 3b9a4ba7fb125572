"use client";

import { Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";
import type { Stripe } from "@stripe/stripe-js";
import { Lock } from "lucide-react";
import { useTheme } from "next-themes";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { Failed } from "@/components/app/Failed";
import { QueryView } from "@/components/app/QueryView";
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
import { Skeleton } from "@/components/ui/skeleton";
import { useAttachPaymentMethod, useSetupIntent } from "@/hooks/billing/usePaymentMethods";
import { useStripe as useStripeScript } from "@/hooks/billing/useStripe";
import { ApiError, messageOf } from "@/lib/api/errors";
import { methodIdOf } from "@/lib/billing/stripe";

const NOT_LOADED = "The form for cards could not be loaded.";

interface AddPaymentMethodFormProps {
  onClose: () => void;
}

/** Saves a card with Stripe's own form; its number never touches this page. */
export default function AddPaymentMethodForm({ onClose }: AddPaymentMethodFormProps) {
  const [isSaving, setIsSaving] = useState(false);
  return (
    <Dialog onClose={onClose} busy={isSaving}>
      <DialogContent className="sm:max-w-md">
        <DialogHeader>
          <DialogTitle>Add a card</DialogTitle>
          <DialogDescription>It becomes the default for renewals and invoices.</DialogDescription>
        </DialogHeader>
        <StripeForm>
          {(onAnew) => (
            <CardForm
              isSaving={isSaving}
              onSaving={setIsSaving}
              onAnew={onAnew}
              onClose={onClose}
            />
          )}
        </StripeForm>
      </DialogContent>
    </Dialog>
  );
}

/** What a form of Stripe's stands in, once there are a script and an intent for it. */
function StripeForm({ children }: { children: (onAnew: () => void) => ReactNode }) {
  const { organizationId } = useSession();
  const stripe = useStripeScript();
  const intent = useSetupIntent(organizationId);
  const { resolvedTheme } = useTheme();
  return (
    <QueryView query={stripe} skeleton={<FormSkeleton />}>
      {(script) =>
        script === null ? (
          <DialogBody className="pb-6">
            <Alert title="Card payments are not configured here." />
          </DialogBody>
        ) : (
          <QueryView query={intent} skeleton={<FormSkeleton />}>
            {({ client_secret }) => (
              <Elements
                key={client_secret}
                stripe={script as Stripe}
                options={{
                  clientSecret: client_secret,
                  appearance: { theme: resolvedTheme === "dark" ? "night" : "stripe" },
                }}
              >
                {children(() => intent.refetch())}
              </Elements>
            )}
          </QueryView>
        )
      }
    </QueryView>
  );
}

interface CardFormProps extends AddPaymentMethodFormProps {
  isSaving: boolean;
  onSaving: (isSaving: boolean) => void;
  /** Begins with another intent, when this form cannot be shown. */
  onAnew: () => void;
}

function CardForm({ isSaving, onSaving, onAnew, onClose }: CardFormProps) {
  const [stripe, elements] = [useStripe(), useElements()];
  const { organizationId } = useSession();
  const attach = useAttachPaymentMethod(organizationId);
  const [isReady, setIsReady] = useState(false);
  const [loadError, setLoadError] = useState<string | null>(null);
  // A card is confirmed once; what may have to be repeated is that we save it.
  const [confirmedId, setConfirmedId] = useState<string | null>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const message = useRef<HTMLParagraphElement>(null);

  // Once it is drawn, however long that takes: what is empty cannot be gone to.
  useEffect(() => {
    if (refused !== null) message.current?.focus();
  }, [refused]);

  const confirm = async (): Promise<string | null> => {
    if (!stripe || !elements) return null;
    const { error, setupIntent } = await stripe.confirmSetup({
      elements,
      redirect: "if_required",
      confirmParams: { return_url: window.location.href },
    });
    if (error) {
      setRefused(error.message ?? "The card was not accepted.");
      return null;
    }
    const methodId = methodIdOf(setupIntent);
    setConfirmedId(methodId);
    return methodId;
  };

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (isSaving) return;
    onSaving(true);
    setRefused(null);
    try {
      const methodId = confirmedId ?? (await confirm());
      if (methodId === null) return;
      await attach.mutateAsync(methodId);
      toast.success("Your card is saved.");
      onClose();
    } catch (error) {
      setRefused(messageOf(error));
    } finally {
      onSaving(false);
    }
  };

  if (loadError !== null) {
    return (
      <DialogBody className="pb-6">
        <Failed error={new ApiError(0, "form_not_loaded", loadError)} onRetry={onAnew} />
      </DialogBody>
    );
  }
  return (
    <form onSubmit={save} className="contents">
      <DialogBody className="pb-5">
        {confirmedId === null ? (
          <>
            {!isReady && <FormSkeletonBody />}
            <div className={isReady ? undefined : "sr-only"}>
              <PaymentElement
                onReady={() => setIsReady(true)}
                onLoadError={({ error }) => setLoadError(error.message ?? NOT_LOADED)}
              />
            </div>
          </>
        ) : (
          <p className="text-sm">
            Your bank has confirmed the card. All that is left is to save it.
          </p>
        )}
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
        <DialogClose>Not now</DialogClose>
        <Button type="submit" busy={isSaving} disabled={!isReady}>
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

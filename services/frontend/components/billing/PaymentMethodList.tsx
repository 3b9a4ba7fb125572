"use client";

import { CreditCard, Plus } from "lucide-react";
import { type ReactNode, Suspense, useState } from "react";
import { toast } from "sonner";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { CardReturn } from "@/components/billing/CardReturn";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Skeleton } from "@/components/ui/skeleton";
import { usePaymentMethods, useSetDefaultPaymentMethod } from "@/hooks/billing/usePaymentMethods";
import { useStripeConfig } from "@/hooks/billing/useStripeConfig";
import { useNow } from "@/hooks/useToday";
import { expiryOf, expiryText, methodName, spokenName } from "@/lib/billing/cards";
import type { PaymentMethodResponse } from "@/lib/billing/types";
import { lazyPart } from "@/lib/lazyPart";

const AddPaymentMethodForm = lazyPart(() => import("@/components/billing/AddPaymentMethodForm"));
const RemoveCardDialog = lazyPart(() => import("@/components/billing/RemoveCardDialog"));

export default function PaymentMethodList() {
  const { organizationId } = useSession();
  const methods = usePaymentMethods(organizationId);
  const [isAdding, setIsAdding] = useState(false);
  const [leaving, setLeaving] = useState<PaymentMethodResponse | null>(null);
  return (
    <Section
      id="payment-methods"
      title="Payment methods"
      action={<AddButton onClick={() => setIsAdding(true)}>Add card</AddButton>}
    >
      <CardReturn onAdd={() => setIsAdding(true)} />
      <Card>
        <QueryView query={methods} skeleton={<MethodsSkeleton />}>
          {(data) =>
            data.length === 0 ? (
              <Empty
                icon={CreditCard}
                title="No card yet"
                action={
                  <AddButton onClick={() => setIsAdding(true)}>Add your first card</AddButton>
                }
              >
                Add one to upgrade, to pay invoices, and to let workflows go on beyond your plan.
              </Empty>
            ) : (
              <ul className="divide-y divide-border">
                {data.map((method) => (
                  <Method key={method.id} method={method} onRemove={() => setLeaving(method)} />
                ))}
              </ul>
            )
          }
        </QueryView>
      </Card>
      <Suspense>
        {isAdding && <AddPaymentMethodForm onClose={() => setIsAdding(false)} />}
        {leaving && <RemoveCardDialog method={leaving} onClose={() => setLeaving(null)} />}
      </Suspense>
    </Section>
  );
}

function AddButton({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  const config = useStripeConfig().data;
  const off = config && !config.is_configured ? "Card payments are not configured here." : null;
  return (
    <ManageButton variant="outline" size="sm" off={off} onClick={onClick}>
      <Plus aria-hidden="true" />
      {children}
    </ManageButton>
  );
}

interface MethodProps {
  method: PaymentMethodResponse;
  onRemove: () => void;
}

function Method({ method, onRemove }: MethodProps) {
  const { organizationId } = useSession();
  const setDefault = useSetDefaultPaymentMethod(organizationId);
  const name = spokenName(method);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-5 py-4 sm:px-6">
      <span className="grid h-8 w-11 shrink-0 place-items-center rounded-md border border-border bg-muted">
        <CreditCard aria-hidden="true" className="size-4 text-muted-foreground" />
      </span>
      <div className="min-w-40 flex-1">
        <p className="flex flex-wrap items-center gap-2 font-medium text-sm tabular-nums">
          <span aria-hidden="true">{methodName(method)}</span>
          <span className="sr-only">{name}</span>
          {method.is_default && <Badge variant="brand">Default</Badge>}
        </p>
        <ExpiryLine method={method} />
      </div>
      <div className="flex gap-1">
        {!method.is_default && (
          <ManageButton
            variant="ghost"
            size="sm"
            aria-label={`Make default: ${name}`}
            busy={setDefault.isPending}
            onClick={() =>
              setDefault.mutate(method.id, {
                onSuccess: () => toast.success(`${name} is the default now.`),
              })
            }
          >
            Make default
          </ManageButton>
        )}
        <ManageButton variant="ghost" size="sm" aria-label={`Remove ${name}`} onClick={onRemove}>
          Remove
        </ManageButton>
      </div>
    </li>
  );
}

function ExpiryLine({ method }: { method: PaymentMethodResponse }) {
  const now = useNow();
  const text = expiryText(method);
  if (!text) return null;
  const expiry = expiryOf(method, now);
  if (expiry === "valid") {
    return <p className="mt-0.5 text-muted-foreground text-xs">Expires {text}</p>;
  }
  const isOver = expiry === "expired";
  return (
    <p className={`mt-0.5 font-medium text-xs ${isOver ? "text-danger" : "text-warning"}`}>
      {isOver ? `Expired ${text}: add another card` : `Expires soon, ${text}`}
    </p>
  );
}

function MethodsSkeleton() {
  return (
    <div className="flex items-center gap-4 px-5 py-4 sm:px-6">
      <Skeleton className="h-8 w-11" />
      <div className="flex-1 space-y-1.5">
        <Skeleton className="h-5 w-36" />
        <Skeleton className="h-3.5 w-20" />
      </div>
    </div>
  );
}

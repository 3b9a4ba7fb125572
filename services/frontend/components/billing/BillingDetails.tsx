"use client";

import { type ReactNode, Suspense, useState } from "react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { Badge } from "@/components/ui/badge";
import { Card } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { useBillingAccount } from "@/hooks/billing/useBillingAccount";
import { addressLines, limitText } from "@/lib/billing/details";
import type { BillingAccountResponse } from "@/lib/billing/types";
import { lazyPart } from "@/lib/lazyPart";
import { cn } from "@/lib/utils";

const EditBillingDetails = lazyPart(() => import("@/components/billing/EditBillingDetails"));

const COLUMNS = "grid divide-border max-sm:divide-y sm:grid-cols-2 sm:divide-x";

export default function BillingDetails() {
  const { organizationId } = useSession();
  const account = useBillingAccount(organizationId);
  const [isEditing, setIsEditing] = useState(false);
  return (
    <Section
      id="details"
      title="Billing details"
      action={
        <ManageButton
          variant="outline"
          size="sm"
          aria-label="Edit billing details"
          onClick={() => setIsEditing(true)}
        >
          Edit
        </ManageButton>
      }
    >
      <Card>
        <QueryView query={account} skeleton={<DetailsSkeleton />}>
          {(data) => (
            <div className={COLUMNS}>
              <Buyer account={data} />
              <AutoBilling account={data} />
            </div>
          )}
        </QueryView>
      </Card>
      <Suspense>
        {isEditing && account.data && (
          <EditBillingDetails account={account.data} onClose={() => setIsEditing(false)} />
        )}
      </Suspense>
    </Section>
  );
}

function Buyer({ account }: { account: BillingAccountResponse }) {
  const { name, address, tax_id } = account.buyer;
  const lines = addressLines(address);
  return (
    <dl className="grid min-w-0 gap-4 p-5 sm:grid-cols-2 sm:p-6">
      <Fact name="Invoices are made out to" className="sm:col-span-2">
        {/* As on the invoice itself, which never goes without a name. */}
        {name ?? account.organization_id}
        {lines.length > 0 && (
          <span className="mt-0.5 block whitespace-pre-line font-normal text-muted-foreground">
            {lines.join("\n")}
          </span>
        )}
      </Fact>
      <Fact name="Tax ID">{tax_id ?? <Missing />}</Fact>
      <Fact name="Billing email">{account.billing_email ?? <Missing />}</Fact>
    </dl>
  );
}

function AutoBilling({ account }: { account: BillingAccountResponse }) {
  const isOn = account.auto_billing_enabled;
  return (
    <dl className="min-w-0 space-y-4 p-5 sm:p-6">
      <Fact name="Auto-billing">
        <Badge variant={isOn ? "success" : "neutral"}>{isOn ? "On" : "Off"}</Badge>
        <span className="mt-1.5 block font-normal text-muted-foreground">
          <Meaning account={account} />
        </span>
      </Fact>
      {isOn && <Fact name="Monthly limit">{limitText(account.auto_billing_monthly_limit)}</Fact>}
    </dl>
  );
}

function Meaning({ account }: { account: BillingAccountResponse }) {
  if (!account.auto_billing_enabled) {
    return "When plan, free workflows and credits are used up, workflows wait.";
  }
  return account.has_payment_method
    ? "When plan, free workflows and credits are used up, workflows go on and the default card is charged by invoice."
    : "It takes effect once there is a card to charge.";
}

interface FactProps {
  name: string;
  className?: string;
  children: ReactNode;
}

function Fact({ name, className, children }: FactProps) {
  return (
    <div className={cn("min-w-0", className)}>
      <dt className="text-muted-foreground text-xs">{name}</dt>
      <dd className="mt-1 break-words font-medium text-sm tabular-nums">{children}</dd>
    </div>
  );
}

function Missing() {
  return <span className="font-normal text-muted-foreground">Not given</span>;
}

function DetailsSkeleton() {
  return (
    <div className={COLUMNS}>
      {["buyer", "auto-billing"].map((column) => (
        <div key={column} className="space-y-4 p-5 sm:p-6">
          <div className="space-y-1">
            <Skeleton className="h-4 w-32" />
            <Skeleton className="h-5 w-44" />
          </div>
          <div className="space-y-1">
            <Skeleton className="h-4 w-20" />
            <Skeleton className="h-5 w-32" />
          </div>
        </div>
      ))}
    </div>
  );
}

"use client";

import { Suspense, useState } from "react";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { RecentCredits } from "@/components/billing/RecentCredits";
import { Card, CardContent } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { useBillingAccount } from "@/hooks/billing/useBillingAccount";
import { usePlans } from "@/hooks/billing/usePlans";
import { useStripeConfig } from "@/hooks/billing/useStripeConfig";
import type { BillingAccountResponse } from "@/lib/billing/types";
import { formatMoney, plural } from "@/lib/format";
import { lazyPart } from "@/lib/lazyPart";

const BuyCreditsDialog = lazyPart(() => import("@/components/billing/BuyCreditsDialog"));

export default function CreditBalance() {
  const { organizationId } = useSession();
  const account = useBillingAccount(organizationId);
  const config = useStripeConfig().data;
  const [isBuying, setIsBuying] = useState(false);
  const off = config && !config.is_configured ? "Card payments are not configured here." : null;
  return (
    <Section
      id="credits"
      title="Credits"
      className="flex flex-col"
      action={
        <ManageButton variant="outline" size="sm" off={off} onClick={() => setIsBuying(true)}>
          Buy credits
        </ManageButton>
      }
    >
      <Card className="flex flex-1 flex-col">
        <QueryView query={account} skeleton={<BalanceSkeleton />}>
          {(data) => <Balance account={data} />}
        </QueryView>
        <RecentCredits />
      </Card>
      <Suspense>{isBuying && <BuyCreditsDialog onClose={() => setIsBuying(false)} />}</Suspense>
    </Section>
  );
}

function Balance({ account }: { account: BillingAccountResponse }) {
  return (
    <CardContent className="pb-4 sm:pb-4">
      <p
        className="font-semibold text-3xl tabular-nums tracking-tight"
        data-testid="credit-balance"
        aria-live="polite"
      >
        {formatMoney(account.credit_balance)}
      </p>
      <p className="mt-1 text-muted-foreground text-sm">
        <Reach balance={account.credit_balance} />
        {account.credit_held > 0 && ` ${formatMoney(account.credit_held)} more is set aside.`}
      </p>
    </CardContent>
  );
}

function Reach({ balance }: { balance: number }) {
  const price = usePlans().data?.workflow_price;
  if (!price) return "For workflows beyond your plan.";
  const reach = Math.floor(balance / price);
  return reach > 0
    ? `Enough for ${plural(reach, "workflow")} beyond your plan.`
    : `A workflow beyond your plan is ${formatMoney(price)}.`;
}

function BalanceSkeleton() {
  return (
    <CardContent className="pb-4 sm:pb-4">
      <Skeleton className="h-9 w-32" />
      <Skeleton className="mt-1 h-5 w-52" />
    </CardContent>
  );
}

"use client";

import { Infinity as InfinityIcon } from "lucide-react";
import { ManageButton } from "@/components/app/ManageButton";
import { useSession } from "@/components/app/SessionProvider";
import { Card } from "@/components/ui/card";
import { useBuyLifetime } from "@/hooks/billing/useCredits";
import { usePlans } from "@/hooks/billing/usePlans";
import { useStripeConfig } from "@/hooks/billing/useStripeConfig";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { planOf, whyNoLifetime } from "@/lib/billing/plans";
import type { PlanResponse, SubscriptionResponse } from "@/lib/billing/types";
import { formatDate, formatLimit, formatMoney, formatPrice } from "@/lib/format";

/** The one-time offer; who has it sees since when. Nothing where it is not sold. */
export function LifetimePurchaseCard() {
  const { organizationId } = useSession();
  const plan = planOf(usePlans().data?.plans ?? [], "lifetime");
  const subscription = useSubscription(organizationId).data;
  if (!subscription || !plan || plan.price === null || plan.interval !== "once") return null;
  const { is_lifetime, lifetime_purchase_date, lifetime_purchase_amount } = subscription;
  return (
    <Card
      id="lifetime"
      className="flex flex-wrap items-center gap-x-6 gap-y-4 border-brand/30 bg-brand-muted p-5 sm:p-6"
    >
      <span className="grid size-10 shrink-0 place-items-center rounded-full bg-surface">
        <InfinityIcon aria-hidden="true" className="size-5 text-brand" />
      </span>
      <div className="min-w-0 flex-1 basis-64">
        <h3 className="font-semibold text-[0.9375rem] tracking-tight">
          {is_lifetime ? `${plan.name} is yours` : `${plan.name}: ${formatPrice(plan.price)} once`}
        </h3>
        <p className="mt-1 text-muted-foreground text-sm">
          {is_lifetime
            ? `Bought on ${formatDate(lifetime_purchase_date)}${
                lifetime_purchase_amount === null
                  ? ""
                  : ` for ${formatMoney(lifetime_purchase_amount)}`
              }. No renewals, ever.`
            : offerOf(plan)}
        </p>
      </div>
      {!is_lifetime && <BuyButton name={plan.name} subscription={subscription} />}
    </Card>
  );
}

function offerOf(plan: PlanResponse): string {
  const storage = `${formatLimit(plan.storage_limit_gb)} GB`;
  return (
    `${formatLimit(plan.workflows_limit)} workflows every month, ${formatLimit(plan.agents_limit)} ` +
    `agents and ${storage} of storage, without renewals. It replaces a running plan.`
  );
}

interface BuyButtonProps {
  name: string;
  subscription: SubscriptionResponse;
}

function BuyButton({ name, subscription }: BuyButtonProps) {
  const { organizationId } = useSession();
  const buy = useBuyLifetime(organizationId);
  const config = useStripeConfig().data;
  const isOff = config && !config.is_configured;
  const off = isOff ? "Card payments are not configured here." : whyNoLifetime(subscription);
  return (
    <ManageButton
      variant="brand"
      off={off}
      busy={buy.isPending || buy.isSuccess}
      onClick={() => buy.mutate()}
    >
      Get {name.toLowerCase()}
    </ManageButton>
  );
}

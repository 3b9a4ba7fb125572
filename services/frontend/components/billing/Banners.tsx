"use client";

import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
import { buttonVariants } from "@/components/ui/button";
import { useBillingAccount } from "@/hooks/billing/useBillingAccount";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { useUsageSummary } from "@/hooks/billing/useUsageSummary";
import { isOutOfWorkflows, reachedLimits } from "@/lib/billing/meters";
import type {
  BillingAccountResponse,
  SubscriptionResponse,
  UsageSummaryResponse,
} from "@/lib/billing/types";
import { formatDate, formatMoney } from "@/lib/format";

/** What needs the user now, with the way out; nothing most of the time. */
export function Banners() {
  const { organizationId } = useSession();
  const account = useBillingAccount(organizationId).data;
  const subscription = useSubscription(organizationId).data;
  const usage = useUsageSummary(organizationId).data;
  return (
    <div aria-live="polite" className="space-y-3 empty:hidden">
      {subscription && <PaymentBanner subscription={subscription} account={account} />}
      {account && account.credit_debt > 0 && <DebtBanner debt={account.credit_debt} />}
      {subscription && !subscription.suspended && (
        <UseBanners subscription={subscription} usage={usage} />
      )}
    </div>
  );
}

function PayActions() {
  return (
    <>
      <a href="#payment-methods" className={buttonVariants({ size: "sm", variant: "outline" })}>
        Update card
      </a>
      <a href="#invoices" className={buttonVariants({ size: "sm" })}>
        Pay now
      </a>
    </>
  );
}

interface PaymentBannerProps {
  subscription: SubscriptionResponse;
  account: BillingAccountResponse | undefined;
}

function PaymentBanner({ subscription, account }: PaymentBannerProps) {
  if (subscription.suspended || account?.status === "suspended") {
    return (
      <Alert variant="danger" title="This account is suspended" action={<PayActions />}>
        No workflow can start until the open invoices are paid. Paying lifts it at once.
      </Alert>
    );
  }
  if (subscription.status !== "past_due") return null;
  return (
    <Alert variant="danger" title="The last payment failed" action={<PayActions />}>
      {subscription.grace_ends_at
        ? `Everything goes on until ${formatDate(subscription.grace_ends_at)}; after that the account is suspended.`
        : "Update your card or pay the open invoice to go on."}
    </Alert>
  );
}

function DebtBanner({ debt }: { debt: number }) {
  return (
    <Alert
      variant="warning"
      title={`${formatMoney(debt)} of credits are owed`}
      action={
        <a href="#credits" className={buttonVariants({ size: "sm", variant: "outline" })}>
          Buy credits
        </a>
      }
    >
      A payment for credits that were already used was taken back. The next credits pay it first.
    </Alert>
  );
}

interface UseBannersProps {
  subscription: SubscriptionResponse;
  usage: UsageSummaryResponse | undefined;
}

/** What is used up, and whether a workflow can start all the same. */
function UseBanners({ subscription, usage }: UseBannersProps) {
  const reached = reachedLimits(subscription);
  const isOut = isOutOfWorkflows(subscription);
  const stopped = usage && !usage.can_execute ? (usage.reason ?? "") : null;
  return (
    <>
      {stopped !== null && !isOut && (
        <Alert variant="danger" title="No workflow can start now" action={<PlanActions />}>
          {stopped}
        </Alert>
      )}
      {reached.length > 0 && (
        <Alert
          variant="warning"
          title={`You have reached your limit of ${new Intl.ListFormat("en").format(reached)}`}
          action={<PlanActions />}
        >
          {isOut && usage && (stopped ?? beyondText(usage))}
        </Alert>
      )}
    </>
  );
}

function beyondText(usage: UsageSummaryResponse): string {
  return `Further workflows are ${formatMoney(usage.workflow_price)} each.`;
}

function PlanActions() {
  return (
    <a href="#plans" className={buttonVariants({ size: "sm" })}>
      See plans
    </a>
  );
}

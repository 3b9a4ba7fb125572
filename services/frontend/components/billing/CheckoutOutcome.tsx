"use client";

import { CircleCheck, CircleX, LoaderCircle, SearchX } from "lucide-react";
import { useSession } from "@/components/app/SessionProvider";
import { Outcome } from "@/components/billing/Outcome";
import { isSettled, useCheckout } from "@/hooks/billing/useCheckout";
import { usePlans } from "@/hooks/billing/usePlans";
import { useUrlState } from "@/hooks/useUrlState";
import { messageOf } from "@/lib/api/errors";
import { planName } from "@/lib/billing/plans";
import type { CheckoutStateResponse, PlanResponse, Tier } from "@/lib/billing/types";
import { formatMoney } from "@/lib/format";

/** Waits for what the server knows about a purchase: an address proves nothing. */
export function CheckoutOutcome() {
  const { organizationId } = useSession();
  const [sessionId] = useUrlState("session_id");
  const { state, error, isUnknown, isLong } = useCheckout(organizationId, sessionId);
  const plans = usePlans().data?.plans;
  if (isUnknown && !state) {
    return (
      <Outcome icon={SearchX} tone="neutral" title="We do not know this purchase">
        {error ? messageOf(error) : "This address names no purchase."} If you have paid, it shows on
        the billing page in a moment.
      </Outcome>
    );
  }
  return <State state={state} plans={plans} isLong={isLong} />;
}

interface StateProps {
  state: CheckoutStateResponse | undefined;
  plans: PlanResponse[] | undefined;
  isLong: boolean;
}

function State({ state, plans, isLong }: StateProps) {
  if (!state || !isSettled(state)) {
    return (
      <Outcome icon={LoaderCircle} tone="neutral" spinning title="Confirming your payment">
        {isLong
          ? "This takes longer than usual, and goes on by itself. You may leave this page: what you bought shows on the billing page."
          : "This usually takes a few seconds. You may leave this page; nothing gets lost."}
      </Outcome>
    );
  }
  if (state.status !== "complete") {
    return (
      <Outcome icon={CircleX} tone="danger" title="The payment did not go through">
        {state.status === "expired"
          ? "The payment page has expired. Nothing was charged."
          : "Nothing was charged. Try again, perhaps with another card."}
      </Outcome>
    );
  }
  return (
    <Outcome icon={CircleCheck} tone="success" title="Payment received">
      {doneSentence(state, plans)}
    </Outcome>
  );
}

function doneSentence(state: CheckoutStateResponse, plans: PlanResponse[] | undefined): string {
  if (state.kind === "credits") return `${formatMoney(state.amount)} of credits are yours to use.`;
  if (state.kind === "setup") return "Your card is saved.";
  const name = planName(plans, (state.tier ?? "lifetime") as Tier);
  return state.kind === "lifetime"
    ? "The lifetime plan is yours. Thank you."
    : `You are on ${name} now. Its limits apply at once.`;
}

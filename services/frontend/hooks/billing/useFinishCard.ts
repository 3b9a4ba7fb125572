"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { useAttachPaymentMethod } from "@/hooks/billing/usePaymentMethods";
import { useUrlState } from "@/hooks/useUrlState";
import { ApiError, messageOf } from "@/lib/api/errors";
import { configQuery } from "@/lib/billing/queries";
import { getStripe, methodIdOf } from "@/lib/billing/stripe";

/** What the way back from a bank's page has in its address. */
export const CARD_RETURN = "setup_intent_client_secret";
const PARAMETERS = ["setup_intent", "redirect_status"];

/** How it ended. What was `refused` is decided; what has `failed` may work when it is tried again. */
export type CardOutcome = { status: "saved" } | { status: "refused" | "failed"; reason: string };

/** Saves the card that was confirmed on a bank's page, once, and takes it out of the address. */
export function useFinishCard(organizationId: string, clientSecret: string) {
  const queryClient = useQueryClient();
  const attach = useAttachPaymentMethod(organizationId);
  const [, setInAddress] = useUrlState(CARD_RETURN);

  const finish = async (): Promise<CardOutcome> => {
    const stripe = await getStripe(await queryClient.ensureQueryData(configQuery));
    const { setupIntent, error } = (await stripe?.retrieveSetupIntent(clientSecret)) ?? {};
    if (error?.type === "api_connection_error") throw new ApiError(0, "no_answer", reasonOf(error));
    if (setupIntent?.status === "processing") throw new ApiError(409, "pending", "Not yet.");
    if (setupIntent?.status !== "succeeded") return { status: "refused", reason: reasonOf(error) };
    await attach.mutateAsync(methodIdOf(setupIntent));
    return { status: "saved" };
  };

  return useQuery({
    queryKey: ["finish-card", clientSecret],
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    queryFn: async (): Promise<CardOutcome> => {
      const outcome = await finish().catch(failed);
      if (outcome.status === "saved") toast.success("Your card is saved.");
      else toast.error("Your card is not saved.", { description: outcome.reason });
      const address = new URL(window.location.href);
      for (const name of PARAMETERS) address.searchParams.delete(name);
      window.history.replaceState(null, "", address);
      setInAddress(null);
      return outcome;
    },
  });
}

function failed(error: unknown): CardOutcome {
  return { status: "failed", reason: messageOf(error) };
}

function reasonOf(error: { message?: string } | undefined): string {
  return error?.message ?? "Your bank did not confirm the card.";
}

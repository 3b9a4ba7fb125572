"use client";

import { useQuery } from "@tanstack/react-query";
import { toast } from "sonner";
import { useSession } from "@/components/app/SessionProvider";
import { useAttachPaymentMethod } from "@/hooks/billing/usePaymentMethods";
import { useStripe } from "@/hooks/billing/useStripe";
import { useUrlState } from "@/hooks/useUrlState";
import { messageOf } from "@/lib/api/errors";
import { methodIdOf } from "@/lib/billing/stripe";

const PARAMETERS = ["setup_intent", "setup_intent_client_secret", "redirect_status"];

/** Saves the card that was confirmed on a bank's page, once, and clears the address. */
export default function FinishCard({ clientSecret }: { clientSecret: string }) {
  const { organizationId } = useSession();
  const stripe = useStripe().data;
  const attach = useAttachPaymentMethod(organizationId);
  const [, setSecret] = useUrlState("setup_intent_client_secret");
  useQuery({
    queryKey: ["finish-card", clientSecret],
    enabled: Boolean(stripe),
    retry: false,
    gcTime: 0,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      try {
        const { setupIntent, error } = (await stripe?.retrieveSetupIntent(clientSecret)) ?? {};
        if (error || setupIntent?.status !== "succeeded") {
          toast.error(error?.message ?? "Your bank did not confirm the card.");
        } else {
          await attach.mutateAsync(methodIdOf(setupIntent));
          toast.success("Your card is saved.");
        }
      } catch (error) {
        toast.error(messageOf(error));
      } finally {
        const address = new URL(window.location.href);
        for (const name of PARAMETERS) address.searchParams.delete(name);
        window.history.replaceState(null, "", address);
        setSecret(null);
      }
      return null;
    },
  });
  return null;
}

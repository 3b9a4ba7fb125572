"use client";

import { ManageButton } from "@/components/app/ManageButton";
import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
import { Button } from "@/components/ui/button";
import { useFinishCard } from "@/hooks/billing/useFinishCard";

interface FinishCardProps {
  clientSecret: string;
  /** Begins with another card. */
  onAdd: () => void;
}

/** Finishes a card that was confirmed on a bank's page; why that failed stays until it has not. */
export default function FinishCard({ clientSecret, onAdd }: FinishCardProps) {
  const { organizationId } = useSession();
  const { data: outcome, isFetching, refetch } = useFinishCard(organizationId, clientSecret);
  if (!outcome || outcome.status === "saved") return null;
  return (
    <Alert
      className="mb-3"
      variant="danger"
      title="Your card is not saved"
      action={
        outcome.status === "failed" ? (
          <Button size="sm" busy={isFetching} onClick={() => refetch()}>
            Try again
          </Button>
        ) : (
          <ManageButton size="sm" onClick={onAdd}>
            Add another card
          </ManageButton>
        )
      }
    >
      {outcome.reason}
    </Alert>
  );
}

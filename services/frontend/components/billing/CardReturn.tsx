"use client";

import { Suspense, useState } from "react";
import { CARD_RETURN } from "@/hooks/billing/useFinishCard";
import { useUrlState } from "@/hooks/useUrlState";
import { lazyPart } from "@/lib/lazyPart";

const FinishCard = lazyPart(() => import("@/components/billing/FinishCard"));

/** Back from a bank's own page: the address names what was begun here. */
export function CardReturn({ onAdd }: { onAdd: () => void }) {
  const [inAddress] = useUrlState(CARD_RETURN);
  // The address forgets it as soon as it was used; here it stays, to be tried again.
  const [secret, setSecret] = useState<string | null>(null);
  if (inAddress !== null && inAddress !== secret) setSecret(inAddress);
  const addAnother = () => {
    setSecret(null);
    onAdd();
  };
  return <Suspense>{secret && <FinishCard clientSecret={secret} onAdd={addAnother} />}</Suspense>;
}

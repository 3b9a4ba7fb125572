"use client";

import { Suspense } from "react";
import { useUrlState } from "@/hooks/useUrlState";
import { lazyPart } from "@/lib/lazyPart";

const FinishCard = lazyPart(() => import("@/components/billing/FinishCard"));

/** Back from a bank's own page: the address names what was begun here. */
export function CardReturn() {
  const [secret] = useUrlState("setup_intent_client_secret");
  return <Suspense>{secret && <FinishCard clientSecret={secret} />}</Suspense>;
}

"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { billingKeys } from "@/lib/billing/queries";
import type { CheckoutStateResponse } from "@/lib/billing/types";

const ASK_AGAIN_MS = 1_500;
const ASK_SELDOM_MS = 10_000;
const LONG_MS = 30_000;

/** Whether nothing more happens to a purchase. */
export function isSettled(state: CheckoutStateResponse): boolean {
  return state.status !== "open" && state.status !== "processing";
}

/** Whether a failure to ask says nothing about the purchase, so that it is asked for again. */
function isPassing(error: Error | null): boolean {
  return error instanceof ApiError && (error.isTemporary || error.status >= 500);
}

/** How a purchase stands, asked until it is settled or not known; a live event asks sooner. */
export function useCheckout(organizationId: string, sessionId: string | null) {
  const isLong = useAfter(LONG_MS);
  const checkout = useQuery({
    queryKey: [...billingKeys.of("checkout", organizationId), sessionId],
    queryFn: () => billingApi.getCheckout(organizationId, sessionId ?? ""),
    enabled: sessionId !== null,
    refetchInterval: ({ state: { data, error } }) => {
      const isOver = (data && isSettled(data)) || (error && !isPassing(error));
      if (isOver) return false;
      return isLong ? ASK_SELDOM_MS : ASK_AGAIN_MS;
    },
    retry: false,
  });
  const isUnknown = sessionId === null || (checkout.error !== null && !isPassing(checkout.error));
  return { state: checkout.data, error: checkout.error, isUnknown, isLong };
}

function useAfter(milliseconds: number): boolean {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsOver(true), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return isOver;
}

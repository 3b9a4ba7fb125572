"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useToday } from "@/hooks/useToday";
import { billingKeys } from "@/lib/billing/queries";

/** Asks for everything again when a day has begun: what a period has used starts anew unheard. */
export function useNewDay(): void {
  const queryClient = useQueryClient();
  const today = useToday();
  const known = useRef(today);
  useEffect(() => {
    if (known.current === today) return;
    known.current = today;
    void queryClient.invalidateQueries({ queryKey: billingKeys.all });
  }, [queryClient, today]);
}

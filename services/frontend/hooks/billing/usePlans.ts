"use client";

import { useQuery } from "@tanstack/react-query";
import { plansQuery } from "@/lib/billing/queries";

export function usePlans() {
  return useQuery(plansQuery);
}

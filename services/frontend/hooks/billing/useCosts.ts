"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type DayRange, type GroupBy, momentsOf, rangeBefore } from "@/lib/billing/costs";
import { costSummaryQuery, dailyCostsQuery } from "@/lib/billing/queries";

/** What a range of days cost, by provider and model; all of it without a range. */
export function useCosts(organizationId: string, range?: DayRange) {
  const { from, to } = range ? momentsOf(range) : {};
  return useQuery({
    ...costSummaryQuery(organizationId, from, to),
    placeholderData: keepPreviousData,
  });
}

/** What the days right before a range cost, to compare with. */
export function useCostsBefore(organizationId: string, range: DayRange) {
  const { from, to } = momentsOf(rangeBefore(range));
  return useQuery(costSummaryQuery(organizationId, from, to));
}

export function useDailyCosts(organizationId: string, range: DayRange, by: GroupBy) {
  return useQuery({
    ...dailyCostsQuery(organizationId, range, by),
    placeholderData: keepPreviousData,
  });
}

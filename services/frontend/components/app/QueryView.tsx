"use client";

import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failed } from "@/components/app/Failed";
import { RefreshFailed } from "@/components/app/RefreshFailed";

export interface QueryViewProps<T> {
  query: UseQueryResult<T>;
  /** As high as what will stand here. */
  skeleton: ReactNode;
  children: (data: T) => ReactNode;
}

/** A query as it is: loading, failed with a way to try again, or its data, perhaps of before. */
export function QueryView<T>({ query, skeleton, children }: QueryViewProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {children(query.data)}
        {query.isRefetchError && (
          <RefreshFailed onRetry={() => query.refetch()} isRetrying={query.isRefetching} />
        )}
      </>
    );
  }
  if (query.error) {
    return (
      <Failed error={query.error} onRetry={() => query.refetch()} isRetrying={query.isRefetching} />
    );
  }
  return (
    <div aria-busy="true">
      <span className="sr-only">Loading</span>
      {skeleton}
    </div>
  );
}

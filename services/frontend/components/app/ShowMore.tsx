"use client";

import type { ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { messageOf } from "@/lib/api/errors";
import { cn } from "@/lib/utils";

export interface ShowMoreProps {
  /** A list that comes page by page. */
  query: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    isFetchNextPageError: boolean;
    error: Error | null;
    fetchNextPage: () => unknown;
  };
  className?: string;
  children: ReactNode;
}

/** The button for the next page of a list, and why it did not come; nothing after the last one. */
export function ShowMore({ query, className, children }: ShowMoreProps) {
  if (!query.hasNextPage) return null;
  const failed = query.isFetchNextPageError && !query.isFetchingNextPage;
  return (
    <div className={cn("flex flex-wrap items-center gap-x-3 gap-y-1", className)}>
      <Button
        variant="ghost"
        size="sm"
        busy={query.isFetchingNextPage}
        onClick={() => query.fetchNextPage()}
      >
        {failed ? "Try again" : children}
      </Button>
      {failed && (
        <p role="alert" className="text-danger text-sm">
          {messageOf(query.error)}
        </p>
      )}
    </div>
  );
}

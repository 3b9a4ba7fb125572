"use client";

import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
import { ShowMore } from "@/components/app/ShowMore";
import { ScrollBox } from "@/components/ui/scroll-box";
import { Skeleton } from "@/components/ui/skeleton";
import { useCredits } from "@/hooks/billing/useCredits";
import { entryKind, signedMoney } from "@/lib/billing/credits";
import type { CreditEntryResponse } from "@/lib/billing/types";
import { formatDate } from "@/lib/format";
import { cn } from "@/lib/utils";

const ROWS = ["a", "b", "c"];

/** What happened to the credits last, and all of it on demand. */
export function RecentCredits() {
  const { organizationId } = useSession();
  const credits = useCredits(organizationId);
  return (
    <div className="flex-1 border-border border-t px-5 py-4 sm:px-6">
      <h3 className="font-medium text-muted-foreground text-xs">Recent activity</h3>
      <QueryView query={credits} skeleton={<RowsSkeleton />}>
        {(data) => {
          const entries = data.pages.flatMap((page) => page.items);
          if (entries.length === 0) {
            return (
              <p className="mt-3 text-muted-foreground text-sm">
                Nothing yet. Credits that you buy, use or are given show here.
              </p>
            );
          }
          return (
            <>
              <ScrollBox className="mt-1.5 max-h-64 overflow-y-auto">
                <ul aria-label="Credit activity">
                  {entries.map((entry) => (
                    <Entry key={entry.id} entry={entry} />
                  ))}
                </ul>
              </ScrollBox>
              <ShowMore query={credits} className="-ml-3 mt-1">
                Show older
              </ShowMore>
            </>
          );
        }}
      </QueryView>
    </div>
  );
}

function Entry({ entry }: { entry: CreditEntryResponse }) {
  return (
    <li className="flex items-baseline justify-between gap-4 py-1.5 text-sm">
      <span className="min-w-0">
        <span className="block truncate" title={entry.description}>
          {entry.description || entryKind(entry)}
        </span>
        <span className="text-muted-foreground text-xs">
          {entryKind(entry)} {formatDate(entry.created_at)}
          {entry.expires_at && `, expires ${formatDate(entry.expires_at)}`}
        </span>
      </span>
      <span className={cn("shrink-0 tabular-nums", { "text-success": entry.amount > 0 })}>
        {signedMoney(entry.amount)}
      </span>
    </li>
  );
}

function RowsSkeleton() {
  return (
    <div className="mt-3 space-y-3">
      {ROWS.map((row) => (
        <div key={row} className="flex justify-between">
          <Skeleton className="h-4 w-32" />
          <Skeleton className="h-4 w-14" />
        </div>
      ))}
    </div>
  );
}

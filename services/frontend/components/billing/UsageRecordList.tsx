"use client";

import { Workflow } from "lucide-react";
import { QueryView } from "@/components/app/QueryView";
import { Section } from "@/components/app/Section";
import { useSession } from "@/components/app/SessionProvider";
import { ShowMore } from "@/components/app/ShowMore";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Empty } from "@/components/ui/empty";
import { Segmented } from "@/components/ui/segmented";
import { Skeleton } from "@/components/ui/skeleton";
import {
  Table,
  TableBody,
  TableCaption,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import { useUsage } from "@/hooks/billing/useUsage";
import { useUrlState } from "@/hooks/useUrlState";
import { coverText, usageName } from "@/lib/billing/invoices";
import type { UsageRecordResponse } from "@/lib/billing/types";
import { formatCost, formatDateTime } from "@/lib/format";

const FILTERS = [
  { value: "all", label: "All" },
  { value: "billed", label: "Billed" },
  { value: "unbilled", label: "Unbilled" },
] as const;
type Filter = (typeof FILTERS)[number]["value"];

const ROWS = ["a", "b", "c"];

export default function UsageRecordList() {
  const { organizationId } = useSession();
  const [chosen, setChosen] = useUrlState("usage");
  const filter: Filter = FILTERS.find(({ value }) => value === chosen)?.value ?? "all";
  const usage = useUsage(organizationId, filter === "all" ? undefined : filter === "billed");
  return (
    <Section
      id="usage-records"
      title="Usage records"
      action={
        <Segmented
          label="Usage records"
          value={filter}
          options={FILTERS}
          onChange={(value) => setChosen(value === "all" ? null : value)}
        />
      }
    >
      <Card>
        <QueryView query={usage} skeleton={<RecordsSkeleton />}>
          {(data) => {
            const records = data.pages.flatMap((page) => page.items);
            if (records.length === 0)
              return <NoRecords filter={filter} onShowAll={() => setChosen(null)} />;
            return (
              <>
                <Records records={records} />
                <ShowMore query={usage} className="border-border border-t px-5 py-3 sm:px-6">
                  Show older records
                </ShowMore>
              </>
            );
          }}
        </QueryView>
      </Card>
    </Section>
  );
}

function NoRecords({ filter, onShowAll }: { filter: Filter; onShowAll: () => void }) {
  const all = (
    <Button variant="outline" size="sm" onClick={onShowAll}>
      Show all records
    </Button>
  );
  if (filter === "unbilled") {
    return (
      <Empty icon={Workflow} title="Everything is billed" action={all}>
        Nothing waits for the next invoice.
      </Empty>
    );
  }
  return (
    <Empty
      icon={Workflow}
      title={filter === "billed" ? "Nothing is billed yet" : "No usage yet"}
      action={filter === "billed" && all}
    >
      Each workflow that an agent completes stands here, with what paid for it.
    </Empty>
  );
}

function Records({ records }: { records: UsageRecordResponse[] }) {
  return (
    <>
      <div className="max-sm:hidden">
        <Table>
          <TableCaption>Usage records, newest first</TableCaption>
          <TableHeader>
            <TableRow>
              <TableHead>Use</TableHead>
              <TableHead>When</TableHead>
              <TableHead>Covered by</TableHead>
              <TableHead>State</TableHead>
              <TableHead className="text-right">Price</TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {records.map((record) => (
              <TableRow key={record.id}>
                <TableCell className="max-w-64">
                  <What record={record} />
                </TableCell>
                <TableCell className="whitespace-nowrap">{whenOf(record)}</TableCell>
                <TableCell className="whitespace-nowrap">{coverText(record)}</TableCell>
                <TableCell>
                  <BilledBadge record={record} />
                </TableCell>
                <TableCell className="text-right tabular-nums">
                  {formatCost(record.total_price)}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </div>
      <ul className="divide-y divide-border sm:hidden">
        {records.map((record) => (
          <li key={record.id} className="space-y-1.5 px-5 py-4">
            <div className="flex items-baseline justify-between gap-3 text-sm">
              <span className="min-w-0">
                <What record={record} />
              </span>
              <span className="tabular-nums">{formatCost(record.total_price)}</span>
            </div>
            <p className="flex flex-wrap items-center gap-2 text-muted-foreground text-xs">
              <BilledBadge record={record} />
              {coverText(record)}
            </p>
            <p className="text-muted-foreground text-xs">{whenOf(record)}</p>
          </li>
        ))}
      </ul>
    </>
  );
}

function What({ record }: { record: UsageRecordResponse }) {
  return (
    <>
      <span className="flex items-center gap-2 font-medium text-sm">
        {usageName(record)}
        {record.free_tier_used && <Badge variant="success">Free</Badge>}
      </span>
      <span className="block truncate text-muted-foreground text-xs">
        {record.usage_details?.source_id}
        {record.ticket_id && ` · ${record.ticket_id}`}
      </span>
    </>
  );
}

function whenOf(record: UsageRecordResponse): string {
  return formatDateTime(record.usage_details?.occurred_at ?? record.recorded_at);
}

function BilledBadge({ record }: { record: UsageRecordResponse }) {
  return record.billed ? <Badge>Billed</Badge> : <Badge variant="outline">Not billed yet</Badge>;
}

function RecordsSkeleton() {
  return (
    <div className="divide-y divide-border">
      {ROWS.map((row) => (
        <div key={row} className="flex h-16 items-center justify-between px-5 sm:px-6">
          <div className="space-y-1.5">
            <Skeleton className="h-4 w-28" />
            <Skeleton className="h-3 w-44" />
          </div>
          <Skeleton className="h-4 w-16" />
        </div>
      ))}
    </div>
  );
}

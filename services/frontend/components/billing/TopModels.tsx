import { SpentText } from "@/components/billing/SpentText";
import {
  Table,
  TableBody,
  TableCaption,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import type { CostSummaryResponse } from "@/lib/billing/types";
import { formatCompact, formatNumber } from "@/lib/format";

const MOST = 8;

/** The models that cost most in these days. */
export function TopModels({ summary }: { summary: CostSummaryResponse }) {
  const top = [...summary.breakdown].sort((a, b) => b.cost - a.cost).slice(0, MOST);
  return (
    <div className="border-border border-t">
      <Table>
        <TableCaption>Models by cost</TableCaption>
        <TableHeader>
          <TableRow>
            <TableHead>Model</TableHead>
            <TableHead className="text-right max-sm:hidden">Calls</TableHead>
            <TableHead className="text-right max-sm:hidden">Tokens</TableHead>
            <TableHead className="text-right">Cost</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {top.map((item) => (
            <TableRow key={`${item.provider}/${item.model}`}>
              <TableCell className="w-full max-w-0 py-2.5 sm:w-1/2">
                <span className="block truncate">{item.model}</span>
                <span className="block truncate text-muted-foreground text-xs">
                  {item.provider}
                </span>
              </TableCell>
              <TableCell className="py-2.5 text-right tabular-nums max-sm:hidden">
                {formatNumber(item.records)}
              </TableCell>
              <TableCell className="py-2.5 text-right tabular-nums max-sm:hidden">
                {formatCompact(item.tokens)}
              </TableCell>
              <TableCell className="py-2.5 text-right tabular-nums">
                <SpentText spent={item} />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </div>
  );
}

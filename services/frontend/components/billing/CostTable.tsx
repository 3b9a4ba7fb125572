import { SpentText } from "@/components/billing/SpentText";
import { ScrollBox } from "@/components/ui/scroll-box";
import {
  Table,
  TableBody,
  TableCaption,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
} from "@/components/ui/table";
import type { Bars, GroupBy } from "@/lib/billing/costs";
import { formatDate } from "@/lib/format";

interface CostTableProps {
  bars: Bars;
  by: GroupBy;
}

/** The chart as a table: the same days and sums. */
export function CostTable({ bars, by }: CostTableProps) {
  return (
    <ScrollBox className="max-h-72 overflow-y-auto">
      <Table>
        <TableCaption>Costs by day and {by}</TableCaption>
        <TableHeader>
          <TableRow>
            <TableHead>Day</TableHead>
            {bars.series.map(({ key, name }) => (
              <TableHead key={key} className="text-right">
                {name}
              </TableHead>
            ))}
            <TableHead className="text-right">Total</TableHead>
          </TableRow>
        </TableHeader>
        <TableBody>
          {bars.days.map((day) => (
            <TableRow key={day.date}>
              <TableCell className="whitespace-nowrap py-2">{formatDate(day.date)}</TableCell>
              {day.series.map((series) => (
                <TableCell key={series.key} className="py-2 text-right tabular-nums">
                  <SpentText spent={series} />
                </TableCell>
              ))}
              <TableCell className="py-2 text-right font-medium tabular-nums">
                <SpentText spent={day.total} />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </ScrollBox>
  );
}

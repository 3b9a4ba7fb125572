"use client";

import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { Bars } from "@/lib/billing/costs";
import { formatCost, formatDate, formatShortDate } from "@/lib/format";

const COLORS = [1, 2, 3, 4, 5, 6].map((place) => `var(--chart-${place})`);

/** Costs by day, stacked. The table beside it says the same to who cannot see it. */
export default function CostChart({ bars }: { bars: Bars }) {
  return (
    <figure className="m-0 px-2 sm:px-3">
      <figcaption className="sr-only">
        Costs by day, stacked. “Show as table” tells the numbers.
      </figcaption>
      <div className="h-64" data-testid="cost-chart">
        <ResponsiveContainer
          width="100%"
          height="100%"
          initialDimension={{ width: 600, height: 256 }}
        >
          {/* Arrow keys go from day to day, and what the tooltip says is read out. */}
          <BarChart
            title="Costs by day"
            data={bars.days}
            margin={{ top: 8, right: 12, bottom: 0, left: 4 }}
          >
            <CartesianGrid vertical={false} stroke="var(--border)" />
            <XAxis
              dataKey="date"
              tickFormatter={formatShortDate}
              tickLine={false}
              axisLine={false}
              minTickGap={28}
              tick={{ fill: "var(--muted-foreground)", fontSize: 12 }}
            />
            <YAxis
              width={62}
              tickFormatter={formatCost}
              tickLine={false}
              axisLine={false}
              tick={{ fill: "var(--muted-foreground)", fontSize: 12 }}
            />
            <Tooltip cursor={{ fill: "var(--muted)" }} content={DayTooltip} />
            {bars.series.map((name, place) => (
              <Bar
                key={name}
                dataKey={name}
                stackId="costs"
                fill={COLORS[place]}
                maxBarSize={36}
                isAnimationActive={false}
              />
            ))}
          </BarChart>
        </ResponsiveContainer>
      </div>
      <ul className="flex min-h-8 flex-wrap items-center gap-x-4 gap-y-1 px-3 py-1 text-muted-foreground text-xs">
        {bars.series.map((name, place) => (
          <li key={name} className="flex min-w-0 items-center gap-1.5 break-all">
            <span
              aria-hidden="true"
              className="size-2.5 shrink-0 rounded-[3px]"
              style={{ background: COLORS[place] }}
            />
            {name}
          </li>
        ))}
      </ul>
    </figure>
  );
}

interface DayTooltipProps {
  active?: boolean;
  label?: string | number;
  payload?: readonly { name?: unknown; value?: unknown; color?: string }[];
}

function DayTooltip({ active, label, payload }: DayTooltipProps) {
  if (!active || !payload) return null;
  const spent = payload.filter(({ value }) => Number(value) > 0);
  const total = spent.reduce((sum, { value }) => sum + Number(value), 0);
  return (
    <div className="min-w-44 rounded-lg border border-border bg-surface p-3 text-xs shadow-lg">
      <p className="flex justify-between gap-4 font-medium">
        {formatDate(String(label))}
        <span className="tabular-nums">{formatCost(total)}</span>
      </p>
      {spent.map(({ name, value, color }) => (
        <p key={String(name)} className="mt-1.5 flex items-center gap-1.5">
          <span className="size-2.5 rounded-[3px]" style={{ background: color }} />
          <span className="flex-1 text-muted-foreground">{String(name)}</span>
          <span className="tabular-nums">{formatCost(Number(value))}</span>
        </p>
      ))}
    </div>
  );
}

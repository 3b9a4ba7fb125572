"use client";

import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { SpentText } from "@/components/billing/SpentText";
import { type Bars, spentText } from "@/lib/billing/costs";
import { formatCost, formatDate, formatShortDate } from "@/lib/format";

type Day = Bars["days"][number];

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
            <Tooltip
              cursor={{ fill: "var(--muted)" }}
              content={({ active, payload }) =>
                active && <DayTooltip day={payload?.[0]?.payload} />
              }
            />
            {bars.series.map(({ key, name }, place) => (
              <Bar
                key={key}
                name={name}
                dataKey={(day: Day) => day.series[place]?.cost}
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
        {bars.series.map((series, place) => (
          <li key={series.key} className="flex min-w-0 items-center gap-1.5 break-all">
            <Swatch place={place} />
            {series.name}
            {spentText(series).cost === null && (
              <span className="whitespace-nowrap text-warning">not yet priced</span>
            )}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function Swatch({ place }: { place: number }) {
  return (
    <span
      aria-hidden="true"
      className="size-2.5 shrink-0 rounded-[3px]"
      style={{ background: COLORS[place] }}
    />
  );
}

/** A day's costs; kinds that had no calls on it are left out. */
function DayTooltip({ day }: { day: Day | undefined }) {
  if (!day) return null;
  return (
    <div className="min-w-44 rounded-lg border border-border bg-surface p-3 text-xs shadow-lg">
      <p className="flex justify-between gap-4 font-medium">
        {formatDate(day.date)}
        <span className="text-right tabular-nums">
          <SpentText spent={day.total} />
        </span>
      </p>
      {day.series.map((series, place) => {
        if (series.records === 0) return null;
        return (
          <p key={series.key} className="mt-1.5 flex items-center gap-1.5">
            <Swatch place={place} />
            <span className="flex-1 text-muted-foreground">{series.name}</span>
            <span className="text-right tabular-nums">
              <SpentText spent={series} />
            </span>
          </p>
        );
      })}
    </div>
  );
}

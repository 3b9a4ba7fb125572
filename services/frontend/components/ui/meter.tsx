import { cn } from "@/lib/utils";

export type MeterTone = "normal" | "warning" | "danger";

const FILL: Record<MeterTone, string> = {
  normal: "bg-brand",
  warning: "bg-[oklch(0.75_0.16_75)]",
  danger: "bg-danger-solid",
};

export interface MeterProps {
  label: string;
  value: number;
  max: number;
  /** The same in words. */
  text: string;
  tone?: MeterTone;
  className?: string;
}

/** How much of a limit is used. */
export function Meter({ label, value, max, text, tone = "normal", className }: MeterProps) {
  const percent = max > 0 ? Math.min(100, (value / max) * 100) : 100;
  return (
    <div
      data-slot="meter"
      data-tone={tone}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={Math.min(value, max)}
      aria-valuetext={text}
      className={cn("h-1.5 overflow-hidden rounded-full bg-muted", className)}
    >
      <div
        className={cn("h-full rounded-full transition-[width] duration-500 ease-out", FILL[tone])}
        style={{ width: `${value > 0 ? Math.max(percent, 1.5) : 0}%` }}
      />
    </div>
  );
}

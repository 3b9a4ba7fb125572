import { cn } from "@/lib/utils";

export interface SegmentedProps<T extends string> {
  /** What is chosen here, for who cannot see it. */
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
  className?: string;
}

/** One of a few choices, all of them in sight. */
export function Segmented<T extends string>({
  label,
  value,
  options,
  onChange,
  className,
}: SegmentedProps<T>) {
  return (
    <fieldset
      data-slot="segmented"
      className={cn("inline-flex rounded-lg bg-muted p-0.5", className)}
    >
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className="h-8 rounded-md px-3 font-medium text-[0.8125rem] text-muted-foreground transition-colors hover:text-foreground aria-pressed:bg-surface aria-pressed:text-foreground aria-pressed:shadow-xs pointer-coarse:h-11 pointer-coarse:min-w-11 dark:aria-pressed:bg-input"
        >
          {option.label}
        </button>
      ))}
    </fieldset>
  );
}

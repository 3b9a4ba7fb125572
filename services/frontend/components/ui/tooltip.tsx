import { type ReactNode, useId } from "react";
import { cn } from "@/lib/utils";

export interface TooltipProps {
  text: string;
  className?: string;
  /** Gets the id of the tooltip for `aria-describedby`. */
  children: (describedBy: string) => ReactNode;
}

/** A sentence about a control, for pointer, keyboard and screen reader. */
export function Tooltip({ text, className, children }: TooltipProps) {
  const id = useId();
  return (
    <span className="group/tooltip relative inline-flex">
      {children(id)}
      <span
        id={id}
        role="tooltip"
        className={cn(
          "pointer-events-none absolute hidden bottom-full left-1/2 z-40 mb-2 w-max max-w-60 -translate-x-1/2 rounded-md bg-primary px-2.5 py-1.5 text-left font-normal text-primary-foreground text-xs leading-snug shadow-lg group-focus-within/tooltip:block group-hover/tooltip:block",
          className,
        )}
      >
        {text}
      </span>
    </span>
  );
}

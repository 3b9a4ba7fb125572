import { ChevronDown } from "lucide-react";
import type { ComponentProps } from "react";
import { FIELD } from "@/components/ui/input";
import { cn } from "@/lib/utils";

/** The browser's own list of choices: nothing opens better on a phone, and it weighs nothing. */
export function Select({ className, children, ...props }: ComponentProps<"select">) {
  return (
    <span data-slot="select" className={cn("relative inline-flex", className)}>
      <select className={cn(FIELD, "h-9 appearance-none pr-8 pointer-coarse:h-11")} {...props}>
        {children}
      </select>
      <ChevronDown
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 right-2.5 size-4 -translate-y-1/2 text-muted-foreground"
      />
    </span>
  );
}

import type { ComponentProps } from "react";
import { cn } from "@/lib/utils";

export const FIELD =
  "w-full min-w-0 rounded-lg border border-input bg-surface px-3 text-sm shadow-xs transition-colors placeholder:text-muted-foreground disabled:opacity-55 aria-invalid:border-danger pointer-coarse:text-base";

export function Input({ className, type = "text", ...props }: ComponentProps<"input">) {
  return (
    <input
      data-slot="input"
      type={type}
      className={cn(FIELD, "h-9 pointer-coarse:h-11", className)}
      {...props}
    />
  );
}

export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea data-slot="textarea" className={cn(FIELD, "py-2", className)} {...props} />;
}

export function Label({ className, htmlFor, ...props }: ComponentProps<"label">) {
  return (
    <label
      data-slot="label"
      htmlFor={htmlFor}
      className={cn("block font-medium text-sm", className)}
      {...props}
    />
  );
}

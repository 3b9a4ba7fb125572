import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";
import { Spinner } from "@/components/ui/spinner";
import { cn } from "@/lib/utils";

export const buttonVariants = cva(
  "relative inline-flex shrink-0 select-none items-center justify-center gap-2 whitespace-nowrap rounded-lg font-medium text-sm transition-[background-color,border-color,color,box-shadow,opacity] duration-150 disabled:pointer-events-none disabled:opacity-55 aria-disabled:cursor-not-allowed aria-disabled:opacity-55 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        default:
          "bg-primary text-primary-foreground shadow-xs not-aria-disabled:hover:bg-primary/88",
        brand:
          "bg-[oklch(0.53_0.21_272)] text-white shadow-xs not-aria-disabled:hover:bg-[oklch(0.48_0.21_272)]",
        outline:
          "border border-input bg-surface text-foreground shadow-xs not-aria-disabled:hover:bg-muted",
        secondary: "bg-muted text-foreground not-aria-disabled:hover:bg-border",
        ghost:
          "text-muted-foreground not-aria-disabled:hover:bg-muted not-aria-disabled:hover:text-foreground",
        destructive: "bg-danger-solid text-white shadow-xs not-aria-disabled:hover:opacity-90",
        link: "h-auto! px-0! pointer-coarse:min-h-11 text-brand underline-offset-4 not-aria-disabled:hover:underline",
      },
      size: {
        default: "h-9 px-4 pointer-coarse:h-11",
        sm: "h-8 px-3 text-[0.8125rem] pointer-coarse:h-11",
        lg: "h-11 px-6",
        icon: "size-9 pointer-coarse:size-11",
      },
    },
    defaultVariants: { variant: "default", size: "default" },
  },
);

export interface ButtonProps extends ComponentProps<"button">, VariantProps<typeof buttonVariants> {
  /** Shows that the work is under way; the button keeps its width and takes no second click. */
  busy?: boolean;
}

export function Button({
  className,
  variant,
  size,
  busy = false,
  type = "button",
  onClick,
  children,
  ...props
}: ButtonProps) {
  return (
    <button
      data-slot="button"
      type={type}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
      className={cn(buttonVariants({ variant, size }), className)}
      {...props}
    >
      {busy ? (
        <>
          {/* Out of sight only: hidden, it would take the name of the button with it. */}
          <span className="inline-flex items-center gap-2 opacity-0">{children}</span>
          <Spinner className="absolute" />
        </>
      ) : (
        children
      )}
    </button>
  );
}

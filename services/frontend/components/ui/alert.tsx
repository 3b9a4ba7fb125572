import { cva, type VariantProps } from "class-variance-authority";
import { CircleAlert, Info, type LucideIcon, TriangleAlert } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/utils";

const alertVariants = cva(
  "flex flex-wrap items-start gap-x-4 gap-y-3 rounded-xl border p-4 text-sm has-[>div>p:only-child]:items-center",
  {
    variants: {
      variant: {
        info: "border-border bg-surface [&_[data-slot=alert-icon]]:text-brand",
        warning: "border-warning/25 bg-warning-muted [&_[data-slot=alert-icon]]:text-warning",
        danger: "border-danger/25 bg-danger-muted [&_[data-slot=alert-icon]]:text-danger",
      },
    },
    defaultVariants: { variant: "info" },
  },
);

const ICONS: Record<"info" | "warning" | "danger", LucideIcon> = {
  info: Info,
  warning: TriangleAlert,
  danger: CircleAlert,
};

export interface AlertProps
  extends Omit<ComponentProps<"div">, "title">,
    VariantProps<typeof alertVariants> {
  title: ReactNode;
  /** What the user can do about it. */
  action?: ReactNode;
}

export function Alert({ className, variant, title, action, children, ...props }: AlertProps) {
  const Icon = ICONS[variant ?? "info"];
  return (
    <div data-slot="alert" className={cn(alertVariants({ variant }), className)} {...props}>
      <Icon data-slot="alert-icon" aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 flex-1 basis-60">
        <p className="font-medium">{title}</p>
        {children && <div className="mt-1 text-foreground/75">{children}</div>}
      </div>
      {action && <div className="flex flex-wrap gap-2">{action}</div>}
    </div>
  );
}

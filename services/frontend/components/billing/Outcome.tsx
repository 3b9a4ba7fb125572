import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { BackToBilling } from "@/components/billing/BackToBilling";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/utils";

const TONES = {
  success: "bg-success-muted text-success",
  neutral: "bg-muted text-muted-foreground",
  danger: "bg-danger-muted text-danger",
} as const;

interface OutcomeProps {
  icon: LucideIcon;
  tone: keyof typeof TONES;
  title: string;
  spinning?: boolean;
  children: ReactNode;
}

/** How a purchase has ended, or how it stands. */
export function Outcome({ icon: Icon, tone, title, spinning = false, children }: OutcomeProps) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center px-4 py-24 text-center">
      <span className={cn("grid size-14 place-items-center rounded-full", TONES[tone])}>
        <Icon aria-hidden="true" className={cn("size-7", { "animate-spin": spinning })} />
      </span>
      <div role="status">
        <h1 className="mt-6 font-semibold text-2xl tracking-tight">{title}</h1>
        <div className="mt-2 text-muted-foreground text-sm leading-relaxed">{children}</div>
      </div>
      <BackToBilling />
    </div>
  );
}

export function OutcomeSkeleton() {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center px-4 py-24">
      <Skeleton className="size-14 rounded-full" />
      <Skeleton className="mt-6 h-8 w-56" />
      <Skeleton className="mt-2 h-5 w-72" />
      <Skeleton className="mt-8 h-9 w-32" />
    </div>
  );
}

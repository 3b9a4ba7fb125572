import type { ReactNode } from "react";
import { type BillingSection, SECTIONS } from "@/components/billing/sections";
import { Card } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/utils";

interface PageFrameProps {
  description: ReactNode;
  action?: ReactNode;
  children: ReactNode;
}

/** Heading, links to the sections, and the sections. */
export function PageFrame({ description, action, children }: PageFrameProps) {
  return (
    <div className="mx-auto max-w-6xl px-4 pt-8 pb-24 sm:px-6 lg:pt-12">
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div className="min-w-0">
          <h1 className="font-semibold text-2xl tracking-tight">Billing</h1>
          <div className="mt-1 text-muted-foreground text-sm">{description}</div>
        </div>
        <div className="min-h-9">{action}</div>
      </div>
      <div className="mt-8 gap-10 lg:mt-10 xl:grid xl:grid-cols-[9rem_minmax(0,1fr)]">
        <nav aria-label="Sections" className="max-xl:hidden">
          <ul className="sticky top-24 space-y-0.5">
            {SECTIONS.map(({ id, title }) => (
              <li key={id}>
                <a
                  href={`#${id}`}
                  className="-mx-2.5 block rounded-md px-2.5 py-1.5 text-muted-foreground text-sm transition-colors hover:bg-muted hover:text-foreground"
                >
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div className="min-w-0 space-y-8">{children}</div>
      </div>
    </div>
  );
}

const SPANS = { 1: "lg:col-span-1", 2: "lg:col-span-2", 3: "lg:col-span-3" } as const;

export function spanOf({ span }: BillingSection): string {
  return cn("grid min-w-0", SPANS[span]);
}

interface SectionSkeletonProps {
  section: BillingSection;
  id?: string;
}

export function SectionSkeleton({ section, id }: SectionSkeletonProps) {
  return (
    <div id={id} className="min-w-0">
      <div className="mb-3 flex min-h-9 items-end">
        <h2 className="font-semibold text-[0.9375rem] tracking-tight">{section.title}</h2>
      </div>
      <Card className="p-6">
        <Skeleton className={section.height} />
      </Card>
    </div>
  );
}

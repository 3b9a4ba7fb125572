"use client";

import type { ReactNode } from "react";
import { ErrorBoundary } from "@/components/app/ErrorBoundary";
import { cn } from "@/lib/utils";

export interface SectionProps {
  /** Where a link to it leads: `#invoices`. */
  id: string;
  title: string;
  description?: ReactNode;
  /** Buttons on the right of the title. */
  action?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** Where the focus goes when what had it is gone from a section. */
export function headingOf(id: string): HTMLElement | null {
  return document.getElementById(`${id}-title`);
}

/** A part of the page with its heading; what fails in it fails alone. */
export function Section({ id, title, description, action, className, children }: SectionProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} className={cn("min-w-0", className)}>
      <div className="mb-3 flex min-h-9 flex-wrap items-end justify-between gap-x-4 gap-y-2">
        <div>
          <h2
            id={`${id}-title`}
            tabIndex={-1}
            className="rounded-sm font-semibold text-[0.9375rem] tracking-tight"
          >
            {title}
          </h2>
          {description && <p className="mt-0.5 text-muted-foreground text-sm">{description}</p>}
        </div>
        {action && <div className="flex min-w-0 flex-wrap items-center gap-2">{action}</div>}
      </div>
      <ErrorBoundary>{children}</ErrorBoundary>
    </section>
  );
}

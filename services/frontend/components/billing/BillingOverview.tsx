"use client";

import { Suspense } from "react";
import { ErrorBoundary } from "@/components/app/ErrorBoundary";
import { useSession } from "@/components/app/SessionProvider";
import { Banners } from "@/components/billing/Banners";
import { SectionSkeletons } from "@/components/billing/BillingSkeleton";
import { PageFrame, SectionSkeleton, spanOf } from "@/components/billing/PageFrame";
import { PortalButton } from "@/components/billing/PortalButton";
import { SECTIONS } from "@/components/billing/sections";
import { useFirstSight } from "@/hooks/billing/useFirstSight";
import { cn } from "@/lib/utils";

const GRID = "grid gap-x-6 gap-y-10 lg:grid-cols-3";

/** The billing page: its sections, each of which loads and fails by itself. */
export function BillingOverview() {
  const { organizationId } = useSession();
  const isReady = useFirstSight(organizationId);
  return (
    <PageFrame
      description={<>Plan, usage, costs and payments of {organizationId}.</>}
      action={<PortalButton />}
    >
      {isReady ? <Banners /> : <SectionSkeletons />}
      {/* They load meanwhile, and appear together with the banners, which would else push them. */}
      <div className={cn(isReady ? GRID : "hidden")}>
        {SECTIONS.map((section) => (
          <div key={section.id} className={spanOf(section)}>
            <ErrorBoundary>
              {/* With its id: a link to it leads there before its code has come. */}
              <Suspense fallback={<SectionSkeleton id={section.id} section={section} />}>
                <section.Component />
              </Suspense>
            </ErrorBoundary>
          </div>
        ))}
      </div>
    </PageFrame>
  );
}

"use client";

import { Suspense } from "react";
import { ErrorBoundary } from "@/components/app/ErrorBoundary";
import { useSession } from "@/components/app/SessionProvider";
import { Banners } from "@/components/billing/Banners";
import { PageFrame, SectionSkeleton, spanOf } from "@/components/billing/PageFrame";
import { PortalButton } from "@/components/billing/PortalButton";
import { SECTIONS } from "@/components/billing/sections";

/** The billing page: its sections, each of which loads and fails by itself. */
export function BillingOverview() {
  const { organizationId } = useSession();
  return (
    <PageFrame
      description={<>Plan, usage, costs and payments of {organizationId}.</>}
      action={<PortalButton />}
    >
      <Banners />
      <div className="grid gap-x-6 gap-y-10 lg:grid-cols-3">
        {SECTIONS.map((section) => (
          <div key={section.id} className={spanOf(section)}>
            <ErrorBoundary>
              <Suspense fallback={<SectionSkeleton section={section} />}>
                <section.Component />
              </Suspense>
            </ErrorBoundary>
          </div>
        ))}
      </div>
    </PageFrame>
  );
}

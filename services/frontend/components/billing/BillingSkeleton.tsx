import { PageFrame, SectionSkeleton, spanOf } from "@/components/billing/PageFrame";
import { SECTIONS } from "@/components/billing/sections";
import { Skeleton } from "@/components/ui/skeleton";

/** The billing page before anything is known. */
export function BillingSkeleton() {
  return (
    <PageFrame description={<Skeleton className="mt-1.5 h-4 w-64" />}>
      <SectionSkeletons />
    </PageFrame>
  );
}

export function SectionSkeletons() {
  return (
    <div aria-busy="true" className="grid gap-x-6 gap-y-10 lg:grid-cols-3">
      {SECTIONS.map((section) => (
        <div key={section.id} className={spanOf(section)}>
          <SectionSkeleton section={section} />
        </div>
      ))}
    </div>
  );
}

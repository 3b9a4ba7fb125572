"use client";

import Link from "next/link";
import { useSession } from "@/components/app/SessionProvider";
import { buttonVariants } from "@/components/ui/button";

/** Leads to the page of the organization that this one is about. */
export function BackToBilling() {
  const { organizationId } = useSession();
  return (
    <Link
      href={`/settings/billing/?org=${encodeURIComponent(organizationId)}`}
      prefetch={false}
      className={buttonVariants({ className: "mt-8" })}
    >
      Back to billing
    </Link>
  );
}

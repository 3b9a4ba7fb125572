"use client";

import { ExternalLink } from "lucide-react";
import { ManageButton } from "@/components/app/ManageButton";
import { useSession } from "@/components/app/SessionProvider";
import { useOpenPortal } from "@/hooks/billing/useOpenPortal";

/** Leads to Stripe's own page of this customer. */
export function PortalButton() {
  const { organizationId } = useSession();
  const open = useOpenPortal(organizationId);
  return (
    <ManageButton
      variant="outline"
      busy={open.isPending || open.isSuccess}
      onClick={() => open.mutate()}
    >
      Customer portal
      <ExternalLink aria-hidden="true" />
    </ManageButton>
  );
}

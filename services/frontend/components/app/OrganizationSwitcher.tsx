"use client";

import { useSession } from "@/components/app/SessionProvider";
import { Badge } from "@/components/ui/badge";
import { Select } from "@/components/ui/select";
import { roleName } from "@/lib/session";

export function OrganizationSwitcher() {
  const { session, organizationId, role, switchOrganization } = useSession();
  const others = session.organizations.length > 1;
  return (
    <div className="flex min-w-0 items-center gap-2">
      {others ? (
        <Select
          aria-label="Organization"
          className="min-w-0 max-w-44"
          value={organizationId}
          onChange={(event) => switchOrganization(event.target.value)}
        >
          {session.organizations.map((each) => (
            <option key={each.organization_id} value={each.organization_id}>
              {each.organization_id}
            </option>
          ))}
        </Select>
      ) : (
        <span className="truncate font-medium text-sm">{organizationId}</span>
      )}
      <Badge className="max-sm:hidden">{roleName(role)}</Badge>
    </div>
  );
}

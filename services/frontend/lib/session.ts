// Which organization the page is about, and what the user may do in it. Pure.
import type { Membership, Role } from "@/lib/billing/types";

const ROLE_NAMES: Record<Role, string> = {
  viewer: "viewer",
  member: "member",
  billing_admin: "billing admin",
  owner: "owner",
};

export function roleName(role: Role): string {
  return ROLE_NAMES[role];
}

export function canManage(role: Role): boolean {
  return role === "owner" || role === "billing_admin";
}

/** Why buttons that change something are off. */
export function whyNot(membership: Membership): string {
  return `Only owners and billing admins can do this. You are a ${roleName(membership.role)} of ${membership.organization_id}.`;
}

/** The membership for the first wanted organization that there is, or else the first of all. */
export function chooseMembership(
  memberships: readonly Membership[],
  wanted: readonly (string | null)[],
): Membership | null {
  for (const organization of wanted) {
    const found = memberships.find((each) => each.organization_id === organization);
    if (found) return found;
  }
  return memberships[0] ?? null;
}

/** The token behind `#token=`, which only a page on this very machine takes from an address. */
export function tokenOfFragment(hash: string, hostname: string): string | null {
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("token");
  return isLocal && token ? token : null;
}

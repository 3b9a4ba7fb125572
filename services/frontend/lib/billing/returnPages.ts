import type { ReturnPages } from "@/lib/billing/api";

// Stripe puts the session's id in its place, so it must not be encoded.
const SESSION_ID = "{CHECKOUT_SESSION_ID}";

/** Where hosted pages lead back to: this very site, where the session's cookie is. */
export function returnPages(organizationId: string): ReturnPages {
  const { origin } = window.location;
  const organization = encodeURIComponent(organizationId);
  return {
    success_url: `${origin}/billing/success?org=${organization}&session_id=${SESSION_ID}`,
    cancel_url: `${origin}/billing/cancel?org=${organization}`,
  };
}

"""Who may do what: roles, the table of permissions, and the one decision between them. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from shared.contracts.base import ORGANIZATION_PATTERN

Role = Literal["viewer", "member", "billing_admin", "owner"]

READERS: frozenset[Role] = frozenset({"viewer", "member", "billing_admin", "owner"})
MANAGERS: frozenset[Role] = frozenset({"billing_admin", "owner"})


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a user with a role per organization, or a service of the agents' platform.

    `expires_at` is when the token that proves it ends; `by_cookie` means that a browser sent it
    on its own, so a write also needs the right Origin.
    """

    name: str
    kind: Literal["user", "service"] = "user"
    roles: Mapping[str, Role] = {}
    is_operator: bool = False
    expires_at: datetime | None = None
    by_cookie: bool = False


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What a route demands. Without any field: a signed-in user, whatever the organization.

    `roles` are the roles that suffice in the organization of the path, `found` those that suffice
    in the organization of what is asked for by its id: the handler looks there, and only there.
    """

    anyone: bool = False
    roles: frozenset[Role] = frozenset()
    found: frozenset[Role] = frozenset()
    services: bool = False
    operators: bool = False


PERMISSIONS: Mapping[str, Permission] = {
    "public": Permission(anyone=True),
    "signed_in": Permission(),
    "read": Permission(roles=READERS),
    "manage": Permission(roles=MANAGERS),
    "read_found": Permission(found=READERS),
    "manage_found": Permission(found=MANAGERS),
    # Stripe proves itself by its signature, which the service that keeps the secret verifies.
    "webhook": Permission(anyone=True),
    # The platform that runs workflows asks and tells unattended.
    "watch_workflows": Permission(roles=READERS, services=True),
    "run_workflows": Permission(roles=MANAGERS, services=True),
    # The platform that starts agents does so unattended, so its service key suffices.
    "issue_credentials": Permission(roles=MANAGERS, services=True),
    "operate": Permission(operators=True),
}


class Denial(msgspec.Struct, frozen=True):
    """Why not: an HTTP status, a word for machines, a sentence for the user."""

    status: int
    code: str
    detail: str


TOKEN_MISSING = Denial(401, "token_missing", "Sign in first: this needs a token.")
SERVICE_REFUSED = Denial(403, "service_key_refused", "A service key cannot be used for this.")
OPERATORS_ONLY = Denial(403, "operators_only", "Only an operator may do this.")
ROLE_TOO_LOW = Denial(403, "role_too_low", "Your role in this organization does not allow this.")
# The same for an organization that does not exist and for one that is somebody else's.
UNKNOWN_ORGANIZATION = Denial(
    404, "organization_not_found", "There is no such organization, or it is not yours."
)
NOTHING_FOUND = Denial(404, "not_found", "There is nothing at this address, or it is not yours.")


def denial(
    permission: Permission, principal: Principal | None, organization_id: str | None
) -> Denial | None:
    """Why `principal` may not, or None when it may; `organization_id` is the path's, if any."""
    if permission.anyone:
        return None
    if principal is None:
        return TOKEN_MISSING
    if organization_id is not None and not re.match(ORGANIZATION_PATTERN, organization_id):
        return UNKNOWN_ORGANIZATION
    if principal.kind == "service":
        return None if permission.services else SERVICE_REFUSED
    if permission.operators:
        return None if principal.is_operator else OPERATORS_ONLY
    if permission.found:
        return _found_denial(permission, principal)
    return _role_denial(permission, principal.roles.get(organization_id or ""))


def _found_denial(permission: Permission, principal: Principal) -> Denial | None:
    """Whoever may nowhere need not be looked up for."""
    if not principal.roles:
        return NOTHING_FOUND
    may_somewhere = permission.found.intersection(principal.roles.values())
    return None if may_somewhere else ROLE_TOO_LOW


def _role_denial(permission: Permission, role: Role | None) -> Denial | None:
    if not permission.roles or role in permission.roles:
        return None
    return UNKNOWN_ORGANIZATION if role is None else ROLE_TOO_LOW

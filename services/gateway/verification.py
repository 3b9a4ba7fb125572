"""Reads JSON Web Tokens: signature, issuer, audience, time, and the claims we understand."""

import hashlib
import math
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol, get_args

import jwt
import msgspec
from jwt.types import Options
from msgspec import Meta

from services.gateway.permissions import Denial, Principal, Role
from shared.clock import Clock
from shared.contracts.base import ORGANIZATION_PATTERN

LEEWAY = timedelta(seconds=30)
MAX_TOKEN_BYTES = 8 * 1024
PROVEN_FOR = timedelta(minutes=1)
MAX_PROVEN = 2048
# Our own clock judges times below, so that a test can move it.
OPTIONS: Options = {
    "require": ["sub", "iss", "aud", "exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}

UNREADABLE = (
    jwt.PyJWTError,
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
)

TOKEN_INVALID = Denial(401, "token_invalid", "This token is not valid; sign in again.")
TOKEN_EXPIRED = Denial(401, "token_expired", "This token has expired; sign in again.")


class TokenRefused(Exception):
    """The token proves nothing; `denial` is what the client is told."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.code)
        self.denial = denial


class KeysUnavailable(Exception):
    """The issuer's keys cannot be fetched now, so no token can be judged."""


class Keys(Protocol):
    """Where the key comes from that a token's signature is checked with."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The only algorithms that a token may be signed with."""
        ...

    async def key_for(self, header: dict[str, Any]) -> Any:
        """The key that a token with this header must be signed with; raises TokenRefused."""
        ...


class SharedSecret:
    """One secret that signs and verifies (HS256)."""

    algorithms = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def key_for(self, header: dict[str, Any]) -> str:  # noqa: ARG002
        """The secret, whatever the header says."""
        return self._secret


class Claims(msgspec.Struct, frozen=True):
    """What we read of a token. Roles that we do not know give no access."""

    # Visible ASCII: it travels in a header of the bus.
    sub: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,120}\Z")]
    exp: float
    nbf: float = -math.inf
    orgs: Annotated[dict[str, str], Meta(max_length=1000)] = {}
    operator: bool = False


class TokenVerifier:
    """Turns a token into the principal that it proves.

    A browser sends the same token again and again, so what a signature proved is remembered for
    a minute; a token's time is judged every time.
    """

    def __init__(self, keys: Keys, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._proven: OrderedDict[bytes, tuple[Claims, datetime]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Who this token is about; raises TokenRefused or KeysUnavailable."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise TokenRefused(TOKEN_INVALID)
        now = self._clock.now()
        digest = hashlib.sha256(token.encode()).digest()
        claims, proven_at = self._proven.get(digest, (None, now))
        if claims is None or now - proven_at > PROVEN_FOR:
            claims = await self._prove(token)
            self._proven[digest] = (claims, now)
            if len(self._proven) > MAX_PROVEN:
                self._proven.popitem(last=False)
        return principal_of(claims, now)

    async def _prove(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
            # Checked before the key is looked up: a foreign algorithm never meets a key.
            if header.get("alg") not in self._keys.algorithms:
                raise TokenRefused(TOKEN_INVALID)
            payload = jwt.decode(
                token,
                await self._keys.key_for(header),
                algorithms=list(self._keys.algorithms),
                audience=self._audience,
                issuer=self._issuer,
                options=OPTIONS,
            )
            return msgspec.convert(payload, Claims)
        except UNREADABLE:
            raise TokenRefused(TOKEN_INVALID) from None


def principal_of(claims: Claims, now: datetime) -> Principal:
    """The principal of valid claims; raises TokenRefused outside their time (30 s leeway)."""
    if claims.nbf > (now + LEEWAY).timestamp():
        raise TokenRefused(TOKEN_INVALID)
    if not claims.exp > (now - LEEWAY).timestamp():
        raise TokenRefused(TOKEN_EXPIRED)
    roles: dict[str, Role] = {
        organization: role  # type: ignore[misc]
        for organization, role in claims.orgs.items()
        if role in get_args(Role) and re.match(ORGANIZATION_PATTERN, organization)
    }
    # A time beyond the calendar is as good as its end.
    ends = min(claims.exp, datetime(9000, 1, 1, tzinfo=UTC).timestamp())
    return Principal(
        name=f"user:{claims.sub}",
        roles=roles,
        is_operator=claims.operator,
        expires_at=datetime.fromtimestamp(ends, UTC),
    )

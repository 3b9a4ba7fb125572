"""What `make run` says when everything is ready."""

from datetime import UTC, datetime, timedelta

from deploy.local.options import Options
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import mint
from shared.settings import load

DEMO_ORGANIZATION = "acme"
TOKEN_LIFETIME = timedelta(hours=12)


def welcome(options: Options, environment: dict[str, str]) -> str:
    """The address, a token, a call that works, and what to do next.

    `environment` is the gateway's.
    """
    account = f"{options.address}/api/billing/account/{DEMO_ORGANIZATION}"
    lines = [
        f"Address   {options.address}",
        f"Document  {options.address}/schema",
        f"Stripe    {_stripe(options)}",
        f"Logs      {options.logs}",
    ]
    settings = load(GatewaySettings, environment)
    if settings.auth_mode == "jwks":
        lines.append(f"Tokens    from the issuer of {settings.auth_jwks_url}")
        return "\n".join(lines)
    token = mint(
        settings,
        subject="developer",
        roles={DEMO_ORGANIZATION: "owner"},
        is_operator=True,
        now=datetime.now(UTC),
        lifetime=TOKEN_LIFETIME,
    )
    bearer = f'-H "Authorization: Bearer {token}"'
    return "\n".join(
        [
            *lines,
            "",
            "The billing page, signed in as owner of " + DEMO_ORGANIZATION + ":",
            "",
            f"{options.address}/#token={token}",
            "",
            f"Token     owner of {DEMO_ORGANIZATION} and operator, for 12 hours:",
            "",
            token,
            "",
            "Try it:",
            "",
            f"curl {bearer} {account}/costs/summary",
            "",
            *_buying(options, bearer, account),
            "Something to show:   make demo",
            "More tokens:         make token ORG=acme ROLE=viewer",
            "An agent's own key:  make credentials ORG=acme AGENT=agent-1",
            "Ctrl-C stops everything and keeps the data.",
        ]
    )


def _buying(options: Options, bearer: str, account: str) -> list[str]:
    """How to get the page that sells credits; with real keys nobody should try that."""
    if not options.has_sandbox:
        return []
    body = """-H 'Content-Type: application/json' -d '{"amount_usd": 19.99}'"""
    return [
        "Buy credits, on the page of the sandbox that this leads to:",
        "",
        f"curl {bearer} {body} {account}/credits/checkout",
        "",
    ]


def _stripe(options: Options) -> str:
    if options.has_sandbox:
        return f"a sandbox at {options.sandbox_address}, where no card is real"
    return "your own keys"

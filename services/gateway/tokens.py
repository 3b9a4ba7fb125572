"""Makes tokens for development and tests: `python -m services.gateway.tokens --help`."""

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import jwt

from services.gateway.permissions import Role
from services.gateway.service_keys import new_service_key
from services.gateway.settings import GatewaySettings
from shared.clock import SystemClock
from shared.settings import SettingsError, load

# Where `make run` keeps the secret that it generated, below its home.
SECRET_FILE = Path("keys") / "auth_secret"


def mint(
    settings: GatewaySettings,
    *,
    subject: str,
    roles: Mapping[str, str],
    is_operator: bool,
    now: datetime,
    lifetime: timedelta,
) -> str:
    """A token that a gateway with these settings lets in; raises SettingsError in mode jwks."""
    if settings.auth_mode == "jwks" or not settings.auth_secret:
        raise SettingsError("Setting AUTH_SECRET: tokens are made here only with a secret.")
    claims = {
        "sub": subject,
        "iss": settings.auth_issuer,
        "aud": settings.auth_audience,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "orgs": dict(roles),
    }
    if is_operator:
        claims["operator"] = True
    return jwt.encode(claims, settings.auth_secret, algorithm="HS256")


def main(arguments: list[str] | None = None) -> None:
    """Write one token, or one service key with its entry of SERVICE_KEYS, to standard output."""
    options = _parser().parse_args(arguments)
    if options.service_key:
        sys.stdout.write("\n".join(new_service_key(options.service_key)) + "\n")
        return
    try:
        token = mint(
            load(GatewaySettings, _environment(options.home)),
            subject=options.subject,
            roles=dict.fromkeys(options.organization, options.role),
            is_operator=options.operator,
            now=SystemClock().now(),
            lifetime=timedelta(hours=options.hours),
        )
    except SettingsError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{token}\n")


def _environment(home: Path) -> dict[str, str]:
    """The process's environment, with the generated secret when it names none."""
    secret = home / SECRET_FILE
    given = dict(os.environ)
    if secret.is_file() and not {"AUTH_SECRET", "AUTH_SECRET_FILE"} & set(given):
        given["AUTH_SECRET_FILE"] = str(secret)
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.gateway.tokens",
        description="Make a token for the gateway, with AUTH_SECRET or the secret below --home.",
    )
    parser.add_argument("--organization", action="append", default=[], help="may be repeated")
    parser.add_argument("--role", choices=get_args(Role), default="owner")
    parser.add_argument("--operator", action="store_true", help="may use the operators' routes")
    parser.add_argument("--subject", default="developer", help="who the token is about")
    parser.add_argument("--hours", type=float, default=12.0, help="how long it is valid")
    parser.add_argument(
        "--home", type=Path, default=Path(os.environ.get("BILLING_HOME", "var")), help="of make run"
    )
    parser.add_argument("--service-key", metavar="NAME", help="make a service key instead")
    return parser


if __name__ == "__main__":
    main()

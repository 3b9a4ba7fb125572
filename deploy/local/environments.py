"""What each process of `make run` is told: its own settings, and nobody else's."""

import os
from collections.abc import Sequence

import msgspec

from deploy.local.options import Options
from deploy.services import GATEWAY
from deploy.setup import auth_secret
from deploy.stripe import (
    NO_DATABASE,
    SANDBOX,
    WEBHOOK_PATH,
    refuse_keys_for_the_sandbox,
    sandbox_key_files,
)
from deploy.time_machine import FILE as TIME_MACHINE
from services.gateway.settings import GatewaySettings
from services.gateway.settings import check as check_gateway
from services.stripe_sandbox.settings import SandboxSettings
from services.stripe_sandbox.settings import check as check_sandbox
from shared.service import Service
from shared.settings import ServiceSettings, Settings, load

PASSED_ON = {"ENVIRONMENT", "LOG_LEVEL", "TIME_MACHINE"}

Environments = dict[str, dict[str, str]]


def environments(options: Options, services: Sequence[Service], nats_url: str) -> Environments:
    """The settings of every process by its name, those of a service without its database.

    Raises SettingsError for what one of them would refuse, before anything is started.
    """
    if options.has_sandbox:
        refuse_keys_for_the_sandbox(os.environ)
    found = {
        service.name: _own(service.settings, options) | _bus(service.name, options, nats_url)
        for service in services
    }
    found[GATEWAY] = {
        "PUBLIC_NATS_URL": nats_url,
        **_own(GatewaySettings, options),
        "AGENT_SIGNING_SEED": str(options.keys / "agents_signing.seed"),
        "AGENTS_ACCOUNT_FILE": str(options.keys / "agents.account"),
        **_bus(GATEWAY, options, nats_url),
    }
    check_gateway(load(GatewaySettings, found[GATEWAY]))
    if options.has_sandbox:
        found[SANDBOX] = _own(SandboxSettings, options)
        port = {"HTTP_PORT": str(options.ports["SANDBOX_PORT"])}
        check_sandbox(load(SandboxSettings, found[SANDBOX] | port))
    for service in services:
        load(service.settings, {**found[service.name], "DATABASE_URL": NO_DATABASE})
    return found


def _own(kind: type[Settings], options: Options) -> dict[str, str]:
    """What the environment has of a process's settings, and what is chosen here where it has not.

    Of what all processes share only a part is for the environment to say.
    """
    shared = {field.name.upper() for field in msgspec.structs.fields(ServiceSettings)}
    own = {field.name.upper() for field in msgspec.structs.fields(kind)}
    wanted = own - shared | PASSED_ON
    return {
        name: value
        for name, value in {**_chosen(options), **os.environ}.items()
        if value and name.removesuffix("_FILE") in wanted
    }


def _bus(user: str, options: Options, nats_url: str) -> dict[str, str]:
    return {"NATS_URL": nats_url, "NATS_CREDENTIALS": str(options.keys / f"{user}.creds")}


def _chosen(options: Options) -> dict[str, str]:
    """Settings that have another value on one machine than elsewhere."""
    # The pages that may act with a cookie: those we serve, and a developer's `next dev`. Stripe's
    # pages lead back to the first, where the session is of who followed the address we print.
    port = options.ports["PORT"]
    pages = (options.address, f"http://localhost:{port}", "http://localhost:3000")
    chosen = {
        "AUTH_SECRET_FILE": str(auth_secret(options.keys)),
        "STRIPE_FRONTEND_URL": ",".join(pages),
        "BILLING_PAGE_URL": f"{pages[0]}/settings/billing",
    }
    if os.environ.get("ENVIRONMENT", "development") == "development":
        chosen["MAIL_FOLDER"] = str(options.home / "mail")
    if not options.has_sandbox:
        return chosen
    return chosen | {
        **sandbox_key_files(options.keys),
        "STRIPE_API_BASE": options.sandbox_address,
        "STRIPE_JS_URL": f"{options.sandbox_address}/stripe.js",
        "SANDBOX_HOME": str(options.home / "sandbox"),
        # Only with a Stripe that travels, too.
        "TIME_MACHINE": str(options.home / TIME_MACHINE),
        "SANDBOX_WEBHOOK_URL": options.address + WEBHOOK_PATH,
    }

"""compose.yaml and the Dockerfile, without a Docker engine: everything they declare works."""

import asyncio
import re
import shlex
import signal
import stat
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_type_hints

import asyncpg
import httpx
import msgspec
import pytest

from deploy.embedded.postgres import DURABILITY, SETTINGS
from deploy.services import GATEWAY, load_services
from deploy.setup import CONTAINER_STORE
from deploy.stripe import PREFIXES, SANDBOX
from services.gateway.settings import GatewaySettings
from services.stripe_sandbox.settings import SandboxSettings
from shared.settings import Settings
from shared.topology import OWNERS
from tests.deploy.compose import ROOT, Imitation, read_compose, read_variables
from tests.servers import NATS_IMAGE, POSTGRES_IMAGE, start_postgres
from tests.stack import until

COMPOSE = read_compose()
OURS = [name for name, service in COMPOSE.services.items() if service.build]
PROCESSES = (*OWNERS, GATEWAY, SANDBOX)
SETTINGS_OF: dict[str, type[Settings]] = {
    **{service.name: service.settings for service in load_services()},
    GATEWAY: GatewaySettings,
    SANDBOX: SandboxSettings,
}
# As somebody would try it who has no keys of Stripe's.
VARIABLES = read_variables(ROOT / "deploy" / "sandbox.env")
LIVE_KEYS = {
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
}
# What a deployment with keys of its own has in place of those variables.
PRODUCTION = dict.fromkeys(VARIABLES, "") | {"ENVIRONMENT": "production"}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")


@pytest.mark.parametrize(
    "wrong",
    [
        "services: {x: {image: a, command: [a], user: a, restart: sometimes}}",
        "services: {x: {image: a, comand: [a]}}",
        "volumes: [keys]",
        "service: {}",
    ],
)
def test_the_check_of_the_file_finds_what_compose_would_refuse(wrong: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_compose(f"name: billing\nservices: {{}}\nnetworks: {{}}\nvolumes: {{}}\n{wrong}\n")


def test_every_process_of_make_run_is_a_service_of_its_own() -> None:
    assert set(PROCESSES) < set(COMPOSE.services)
    for name in PROCESSES:
        assert COMPOSE.services[name].command == ["python", "-m", f"services.{name}"]


def test_the_sandbox_is_part_of_nothing_unless_it_is_asked_for() -> None:
    assert {name for name, service in COMPOSE.services.items() if service.profiles} == {SANDBOX}
    assert COMPOSE.services[SANDBOX].profiles == [VARIABLES["COMPOSE_PROFILES"]]
    assert not [name for name, service in COMPOSE.services.items() if SANDBOX in service.depends_on]
    production = Imitation(ROOT, {})
    for name in set(PROCESSES) - {SANDBOX}:
        for value in production.environment(name).values():
            assert not re.search("sandbox|12111", value)


def test_what_services_refer_to_is_declared() -> None:
    used_volumes = set()
    for service in COMPOSE.services.values():
        assert set(service.networks) <= set(COMPOSE.networks)
        assert set(service.depends_on) <= set(COMPOSE.services)
        used_volumes |= {volume.split(":")[0] for volume in service.volumes}
        for name, dependency in service.depends_on.items():
            waited_for = COMPOSE.services[name]
            if dependency.condition == "service_healthy":
                assert waited_for.healthcheck is not None
            else:
                assert waited_for.restart == "no"
    assert used_volumes == set(COMPOSE.volumes)


@pytest.mark.parametrize("name", COMPOSE.services)
def test_every_container_may_do_as_little_as_it_can(name: str) -> None:
    service = COMPOSE.services[name]
    assert service.read_only
    assert service.tmpfs
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]
    assert service.user == ("postgres" if name == "postgres" else "10001:10001")
    assert service.restart in {"no", "unless-stopped"}
    for variable, value in service.environment.items():
        if re.search("PASSWORD|SECRET|SEED|KEY", variable):
            assert re.match(r"/run/billing/|\$\{[A-Z_]+:-\}\Z", value)


def test_no_container_sees_the_secrets_of_another() -> None:
    for name in ("postgres", "nats", *PROCESSES):
        secrets = [v for v in COMPOSE.services[name].volumes if "/run/billing" in v]
        assert secrets == [f"for_{name}:/run/billing:ro"]
    assert "data" not in COMPOSE.services[GATEWAY].networks
    assert COMPOSE.services[SANDBOX].networks == ["stripe"]
    assert COMPOSE.networks["data"].internal


@pytest.mark.parametrize("name", PROCESSES)
def test_every_variable_is_a_setting_that_the_process_knows(name: str) -> None:
    known = {field.name.upper() for field in msgspec.structs.fields(SETTINGS_OF[name])}
    declared = COMPOSE.services[name].environment
    assert {variable.removesuffix("_FILE") for variable in declared} <= known


# Settings that no container is told, and why.
NOT_TOLD = {
    "TIME_MACHINE": "is refused in production, and nothing travels here",
    "MAIL_FOLDER": "is refused in production; mail goes to a server or nowhere",
    "FRONTEND_FOLDER": "the page is built into the image",
}
# Settings whose default is what is right on one machine, and not here.
OTHERWISE = {
    "ENVIRONMENT",
    "AUTH_MODE",
    "PUBLIC_NATS_URL",
    "STRIPE_API_BASE",
    "BILLING_PAGE_URL",
    "SANDBOX_PUBLIC_URL",
}


@pytest.mark.parametrize("name", PROCESSES)
def test_every_setting_of_a_process_can_be_given_to_its_container(name: str) -> None:
    declared = {each.removesuffix("_FILE") for each in COMPOSE.services[name].environment}
    known = {field.name.upper() for field in msgspec.structs.fields(SETTINGS_OF[name])}
    # The sandbox plays somebody who knows of no bus.
    bus = {"NATS_URL", "NATS_CREDENTIALS"} if name == SANDBOX else set()
    assert known - declared == known & {*NOT_TOLD, *bus}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_setting_that_is_not_given_is_as_it_is_without_containers(name: str) -> None:
    kind = SETTINGS_OF[name]
    for field in msgspec.structs.fields(kind):
        variable = field.name.upper()
        value = COMPOSE.services[name].environment.get(variable, "")
        match = re.fullmatch(rf"\$\{{{variable}:-(.+)\}}", value)
        if match is None or field.required or variable in OTHERWISE:
            continue
        rule = get_type_hints(kind, include_extras=True)[field.name]
        assert msgspec.convert(match[1], rule, strict=False) == field.default, variable


def test_every_setting_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("## Configuration")[2].partition("## Operation")[0]
    for name, kind in SETTINGS_OF.items():
        told = {field.name.upper() for field in msgspec.structs.fields(kind)}
        missing = {each for each in told if f"`{each}`" not in table}
        assert missing <= {"SANDBOX_HOME", "SANDBOX_WEBHOOK_URL", "SANDBOX_PUBLIC_URL"}, name


def test_servers_are_set_up_as_the_embedded_ones() -> None:
    postgres, nats = COMPOSE.services["postgres"], COMPOSE.services["nats"]
    assert postgres.image == POSTGRES_IMAGE
    assert nats.image.startswith(NATS_IMAGE)
    wanted = dict.fromkeys(DURABILITY, "on") | SETTINGS
    assert set(postgres.command[1:]) == {f"-c{name}={value}" for name, value in wanted.items()}
    assert f"nats:{CONTAINER_STORE}" in nats.volumes


def test_the_dockerfile_copies_what_is_there_and_nothing_else() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in shlex.split(line)[:-1]
    ]
    assert {Path(source).parts[0] for source in sources} == {
        "pyproject.toml",
        "constraints.txt",
        "deploy",
        "docs",
        "services",
        "shared",
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    for source in sources:
        assert (ROOT / source).exists()
        assert {f"!{source}", f"!{Path(source).parts[0]}"} & set(ignored)


def test_the_image_runs_as_a_user_of_its_own_and_holds_no_secret() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    command = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    assert msgspec.json.decode(command[1]) == COMPOSE.services[GATEWAY].command
    assert not re.search(r"^(ENV|ARG).*(SECRET|PASSWORD|KEY)", DOCKERFILE, re.MULTILINE)


def test_a_new_volume_gets_its_owner_from_the_image() -> None:
    made = re.search(
        r"install --directory --owner=10001 --group=10001 --mode=0700 (.+)$",
        DOCKERFILE,
        re.MULTILINE,
    )
    assert made is not None
    targets = {volume.split(":")[1] for name in OURS for volume in COMPOSE.services[name].volumes}
    assert targets <= set(made[1].split())


@pytest.fixture(scope="module")
def imitation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imitation]:
    """`docker compose up`, as far as the servers: keys, PostgreSQL, NATS, setup."""
    imitation = Imitation(tmp_path_factory.mktemp("containers"), VARIABLES)
    keys = imitation.run("keys")
    assert keys.returncode == 0, keys.stderr
    postgres = start_postgres(imitation.folder / "postgres", durable=True)
    imitation.adopt_port("postgres", 5432, postgres.port)
    try:
        password = Path(imitation.environment("postgres")["POSTGRES_PASSWORD_FILE"])
        asyncio.run(set_password(postgres.dsn, password.read_text()))
        move_bus(imitation)
        with imitation.started("nats", "nats-server"):
            wait_until_bus_is_healthy(imitation)
            setup = imitation.run("setup")
            assert setup.returncode == 0, setup.stderr
            yield imitation
    finally:
        postgres.stop()


async def set_password(dsn: str, password: str) -> None:
    """What the image of PostgreSQL does with the file that it is given."""
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"ALTER ROLE postgres PASSWORD '{password}'")
    await admin.close()


def move_bus(imitation: Imitation) -> None:
    """The configuration that was handed out, on ports and in folders of this machine."""
    path = imitation.volume("for_nats") / "nats.conf"
    text = path.read_text().replace(str(CONTAINER_STORE), str(imitation.volume("nats")))
    for inside in (4222, 8222):
        text = text.replace(f"0.0.0.0:{inside}", f"127.0.0.1:{imitation.port('nats', inside)}")
    path.write_text(text)


def wait_until_bus_is_healthy(imitation: Imitation) -> None:
    """Its health check is wget's, which is in its image and perhaps not here."""
    *wget, address = imitation.health_words("nats")
    assert wget == ["wget", "-q", "-O", "/dev/null"]
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(imitation.here("nats", address), timeout=3) as answer:
                assert answer.status == 200
            return
        except OSError:
            assert time.monotonic() < deadline


def test_the_health_check_of_postgres_works(imitation: Imitation) -> None:
    port = {"PGPORT": str(imitation.port("postgres", 5432))}
    words = imitation.health_words("postgres")
    assert imitation.run("postgres", *words, extra=port).returncode == 0
    assert imitation.run("postgres", *words, extra={"PGPORT": "1"}).returncode != 0


def test_what_is_handed_out_is_private_and_complete(imitation: Imitation) -> None:
    handed = imitation.folder / "handed"
    files = {str(path.relative_to(handed)): path for path in handed.rglob("*") if path.is_file()}
    assert set(files) == {
        "postgres/password",
        "nats/nats.conf",
        *(f"{name}/bus.creds" for name in (*OWNERS, GATEWAY)),
        *(f"{name}/database_url" for name in OWNERS),
        "gateway/auth_secret",
        "gateway/agents_signing.seed",
        "gateway/agents.account",
        *(f"{name}/{key}" for name in (SANDBOX, "stripe_gateway") for key in PREFIXES),
        "gateway/stripe_secret_key",
        "gateway/stripe_publishable_key",
    }
    # PostgreSQL's container reads its file as another user; its volume is mounted nowhere else.
    readable = files.pop("postgres/password")
    assert stat.S_IMODE(readable.stat().st_mode) == 0o444
    for path in files.values():
        if path.name != "nats.conf":  # This one was moved by us.
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_in_production_no_key_of_the_sandbox_is_handed_out(tmp_path: Path) -> None:
    imitation = Imitation(tmp_path, {})
    keys = imitation.run("keys")
    assert keys.returncode == 0, keys.stderr
    assert not list(tmp_path.rglob("stripe_*key"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (PRODUCTION, "STRIPE_SECRET_KEY"),
        ({"ENVIRONMENT": "production"}, "STRIPE_API_BASE"),
        (LIVE_KEYS, "STRIPE_API_BASE"),
    ],
)
def test_without_keys_or_with_live_ones_in_the_sandbox_payments_do_not_start(
    imitation: Imitation, changes: dict[str, str], named: str
) -> None:
    refused = imitation.run("stripe_gateway", extra=changes)
    assert refused.returncode == 1
    assert re.match(rf"Setting {named}: [^\n]+\.\n\Z", refused.stderr)


def test_setup_may_be_repeated(imitation: Imitation) -> None:
    secret = imitation.volume("for_gateway") / "auth_secret"
    before = secret.read_text()
    for service in ("keys", "setup"):
        again = imitation.run(service)
        assert again.returncode == 0, again.stderr
    assert secret.read_text() == before


async def test_every_process_gets_healthy_works_together_and_stops(imitation: Imitation) -> None:
    with ExitStack() as running:
        processes = {name: running.enter_context(imitation.started(name)) for name in PROCESSES}
        for name in PROCESSES:
            imitation.wait_until_healthy(name)
        minted = imitation.run(
            GATEWAY, "python", "-m", "services.gateway.tokens", "--organization", "acme"
        )
        assert minted.returncode == 0, minted.stderr
        await buy_credits(imitation, minted.stdout.strip())
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        # Python says a signal's end with a minus, a container with 143: both are clean.
        assert {process.wait(30) for process in processes.values()} <= {0, -signal.SIGTERM}


async def buy_credits(imitation: Imitation, token: str) -> None:
    """Through the gateway, the page of the sandbox and its webhook, back to the account."""
    base = f"http://127.0.0.1:{imitation.port(GATEWAY, 8000)}/api/billing/account/acme"
    bearer = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=bearer) as client:
        assert (await client.get(f"{base}/costs/summary")).status_code == 200
        # Until the account's customer is there the answer is a 409.
        opened = await until(
            lambda: client.post(f"{base}/credits/checkout", json={"amount_usd": 19.99}),
            lambda answer: answer.status_code != 409,
        )
        page = opened.json()["checkout_url"]
        paid = await client.post(page, data={"card": "visa", "email": "buyer@example.com"})
        assert paid.is_redirect
        await until(
            lambda: client.get(base), lambda answer: answer.json()["credit_balance"] == 19.99
        )


def test_a_health_check_fails_while_its_process_is_not_there(imitation: Imitation) -> None:
    for name in PROCESSES:
        assert imitation.run(name, *imitation.health_words(name)).returncode != 0


def test_the_doctor_finds_nothing_unsafe_in_it(imitation: Imitation) -> None:
    doctor = ("python", "-m", "deploy.doctor", "--only")
    settings = imitation.run(GATEWAY, *doctor, "settings", extra=PRODUCTION)
    stripe = imitation.run("stripe_gateway", *doctor, "stripe", extra=PRODUCTION | LIVE_KEYS)
    monitor = {"NATS_MONITOR_URL": f"http://127.0.0.1:{imitation.port('nats', 8222)}"}
    servers = imitation.run(
        "setup", *doctor, "postgres", "--only", "bus", "--only", "streams", extra=monitor
    )
    for found in (settings, stripe, servers):
        assert found.stdout == "Nothing unsafe was found.\n", found.stderr
        assert found.returncode == 0


def test_the_doctor_finds_the_sandbox(imitation: Imitation) -> None:
    found = imitation.run("stripe_gateway", "python", "-m", "deploy.doctor", "--only", "stripe")
    assert found.returncode == 1
    assert "STRIPE_API_BASE" in found.stdout

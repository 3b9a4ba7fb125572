"""Real keys or the sandbox, never both: in `make run`, in its processes, in their settings."""

import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from deploy.local.environments import environments
from deploy.local.options import read_options
from deploy.services import GATEWAY, load_services
from deploy.setup import make_keys
from deploy.stripe import PREFIXES, SANDBOX, make_sandbox_keys, sandbox_key_files
from shared.topology import OWNERS
from tests.deploy.local_run import READY, ROOT, LocalRun, refusal
from tests.servers import free_port

SENTENCE = r"^[A-Z][^\n]+\.$"
LIVE = {
    "STRIPE_SECRET_KEY": "sk_live_of-somebody",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_of-somebody",
    "STRIPE_WEBHOOK_SECRET": "whsec_of-somebody",
}
OWN_TEST = {name: value.replace("live", "test") for name, value in LIVE.items()}
SOMEWHERE = "http://127.0.0.1:12111"


def test_the_sandboxs_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    make_sandbox_keys(tmp_path)
    first = {path.name: path.read_text() for path in tmp_path.iterdir()}
    make_sandbox_keys(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == first
    assert set(first) == set(PREFIXES)
    for name, prefix in PREFIXES.items():
        assert re.match(rf"{prefix}[0-9a-f]{{48}}\Z", first[name])
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert set(sandbox_key_files(tmp_path)) == {f"{name}_FILE" for name in LIVE}


@pytest.mark.parametrize("given_as", ["{}", "{}_FILE"])
def test_with_real_keys_no_process_knows_of_a_sandbox(
    given_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = load_services()
    monkeypatch.setenv("BILLING_HOME", str(tmp_path))
    for name, value in LIVE.items():
        (tmp_path / name).write_text(value)
        given = str(tmp_path / name) if given_as.endswith("_FILE") else value
        monkeypatch.setenv(given_as.format(name), given)
    options = read_options([])
    make_keys(options.keys, services, datetime.now(UTC))
    assert not options.has_sandbox
    assert "SANDBOX_PORT" not in {setting for _, setting in options.used_ports()}
    found = environments(options, services, "nats://127.0.0.1:4222")
    assert set(found) == {*OWNERS, GATEWAY}
    for settings in found.values():
        assert not {"STRIPE_API_BASE", "STRIPE_JS_URL"} & set(settings)
        assert not [
            value for value in settings.values() if str(options.ports["SANDBOX_PORT"]) in value
        ]


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (LIVE | {"STRIPE_API_BASE": SOMEWHERE}, "STRIPE_API_BASE"),
        (LIVE | {"STRIPE_JS_URL": f"{SOMEWHERE}/stripe.js"}, "STRIPE_JS_URL"),
        (LIVE | {"STRIPE_PUBLISHABLE_KEY": "pk_test_x"}, "STRIPE_PUBLISHABLE_KEY"),
        (LIVE | {"STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_PUBLISHABLE_KEY"),
        (LIVE | {"STRIPE_SECRET_KEY": ""}, "STRIPE_PUBLISHABLE_KEY"),
        (LIVE | {"STRIPE_SECRET_KEY": "somebody"}, "STRIPE_SECRET_KEY"),
        (LIVE | {"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_of-somebody"}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_API_BASE": "https://api.stripe.com"}, "STRIPE_API_BASE"),
        ({"ENVIRONMENT": "production", "AUTH_MODE": "hs256"}, "STRIPE_SECRET_KEY"),
        (
            OWN_TEST
            | {"ENVIRONMENT": "production", "AUTH_MODE": "hs256", "STRIPE_API_BASE": SOMEWHERE},
            "STRIPE_API_BASE",
        ),
    ],
)
def test_a_mixture_of_real_keys_and_sandbox_is_refused_in_a_sentence(
    environment: dict[str, str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refusal(tmp_path / "home", monkeypatch=monkeypatch, capsys=capsys, **environment)
    assert re.match(SENTENCE, said)
    assert said.startswith(f"Setting {named}: ")
    assert "somebody" not in said
    # Before anything was started.
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (LIVE, "STRIPE_SECRET_KEY"),
        (OWN_TEST | {"STRIPE_PUBLISHABLE_KEY": "pk_live_x"}, "STRIPE_PUBLISHABLE_KEY"),
        (OWN_TEST | {"ENVIRONMENT": "production"}, "ENVIRONMENT"),
    ],
)
def test_the_sandbox_refuses_live_keys_and_production(
    environment: dict[str, str], named: str, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "services.stripe_sandbox"],
        env={
            "PATH": os.environ["PATH"],
            "HTTP_PORT": str(free_port()),
            "SANDBOX_HOME": str(tmp_path / "sandbox"),
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert re.match(SENTENCE, ran.stderr)
    assert ran.stderr.startswith(f"Setting {named}: ")
    assert not (tmp_path / "sandbox").exists()


def test_with_keys_of_its_own_an_installation_has_no_sandbox(tmp_path: Path) -> None:
    stripe = f"http://127.0.0.1:{free_port()}"
    with LocalRun(tmp_path / "home", settings=OWN_TEST | {"STRIPE_API_BASE": stripe}) as run:
        run.wait_for(READY)
        assert not [
            each for each in run.family() if any(SANDBOX in word for word in each.cmdline())
        ]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{run.ports['SANDBOX_PORT']}/stripe.js")
        config = httpx.get(f"http://127.0.0.1:{run.ports['PORT']}/api/billing/config").json()
        assert run.end() == 0
    assert config == {
        "publishable_key": OWN_TEST["STRIPE_PUBLISHABLE_KEY"],
        "is_configured": True,
        "stripe_js_url": None,
    }
    assert not (run.home / "sandbox").exists()
    assert not [name for name in PREFIXES if (run.home / "keys" / name).exists()]
    assert "credits/checkout" not in "".join(run.output)

"""The manifests, without a cluster: they name every process, and each would start by them."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from deploy.services import GATEWAY, load_services
from services.gateway.__main__ import GRACE_SECONDS, LEAVING_SECONDS
from services.gateway.settings import GatewaySettings, check
from shared.database import POOL_SIZE
from shared.runtime import Times
from shared.settings import Settings, load
from shared.topology import OWNERS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
PROCESSES = (*OWNERS, GATEWAY)
SETTINGS_OF: dict[str, type[Settings]] = {
    **{service.name: service.settings for service in load_services()},
    GATEWAY: GatewaySettings,
}
MOUNTED = "/run/billing"
# What the files of a secret would hold.
CONTENT = {
    "database_url": "postgresql://account@postgres/account",
    "stripe_secret_key": "sk_live_x",
    "stripe_publishable_key": "pk_live_x",
    "stripe_webhook_secret": "whsec_x",
    "auth_secret": "s" * 64,
    "agents.account": "A" * 56,
    "smtp_url": "",
}


def documents() -> list[dict[str, Any]]:
    """Every object of every file."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found += document["items"] if document["kind"] == "List" else [document]
    return found


OBJECTS = documents()


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


DEPLOYMENTS = of_kind("Deployment")


def named(process: str) -> str:
    """A name as Kubernetes takes it."""
    return process.replace("_", "-")


def pod(process: str) -> dict[str, Any]:
    found: dict[str, Any] = DEPLOYMENTS[named(process)]["spec"]["template"]["spec"]
    return found


def container(process: str) -> dict[str, Any]:
    (found,) = pod(process)["containers"]
    assert isinstance(found, dict)
    return found


def environment(process: str) -> dict[str, str]:
    settings: dict[str, str] = of_kind("ConfigMap")["billing-settings"]["data"]
    own = {each["name"]: each["value"] for each in container(process).get("env", [])}
    return settings | own


def test_every_object_has_a_place_and_a_name_of_its_own() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in OBJECTS]
    assert len(names) == len(set(names))
    for each in OBJECTS:
        assert each["apiVersion"]
        assert re.fullmatch(r"[a-z0-9-]{1,63}", each["metadata"]["name"])
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == "billing"


def test_every_process_is_a_deployment() -> None:
    assert set(DEPLOYMENTS) == {named(process) for process in PROCESSES}
    for process in PROCESSES:
        assert container(process)["command"] == ["python", "-m", f"services.{process}"]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_deployment_finds_its_pods(process: str) -> None:
    spec = DEPLOYMENTS[named(process)]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels["app.kubernetes.io/name"] == named(process)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_asked_whether_it_lives_and_has_time_to_leave(process: str) -> None:
    found = container(process)
    assert found["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert found["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    (port,) = found["ports"]
    assert str(port["containerPort"]) == environment(process)["HTTP_PORT"]
    grace = pod(process)["terminationGracePeriodSeconds"]
    assert grace > LEAVING_SECONDS + GRACE_SECONDS
    assert grace > Times().drain_seconds
    # Who leaves has been asked once before it closes its door.
    assert found["readinessProbe"]["periodSeconds"] < LEAVING_SECONDS


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_may_do_as_little_as_it_can(process: str) -> None:
    found = container(process)
    assert pod(process)["securityContext"]["runAsNonRoot"] is True
    assert pod(process)["automountServiceAccountToken"] is False
    assert found["securityContext"]["readOnlyRootFilesystem"] is True
    assert found["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(found["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in found["resources"]["limits"]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_sees_its_own_secret_as_files_and_no_other(process: str) -> None:
    secrets = [each["secret"] for each in pod(process)["volumes"] if "secret" in each]
    assert [each["secretName"] for each in secrets] == [f"billing-{named(process)}"]
    assert not of_kind("Secret")
    for name, value in environment(process).items():
        if re.search("SECRET|PASSWORD|KEY|SEED|DATABASE_URL|CRED", name):
            assert value.startswith(f"{MOUNTED}/"), name


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_starts_with_what_it_is_told(process: str, tmp_path: Path) -> None:
    told = environment(process)
    for name, value in told.items():
        if name.endswith("_FILE"):
            file = tmp_path / value.removeprefix(f"{MOUNTED}/")
            file.write_text(CONTENT[file.name])
            told[name] = str(file)
    settings = load(SETTINGS_OF[process], told)
    assert settings.environment == "production"
    if isinstance(settings, GatewaySettings):
        check(settings)


def test_every_setting_in_the_manifests_is_one_of_somebodys() -> None:
    known = {
        field.name.upper()
        for kind in SETTINGS_OF.values()
        for field in msgspec.structs.fields(kind)
    }
    for process in PROCESSES:
        assert {name.removesuffix("_FILE") for name in environment(process)} <= known


def test_the_gateway_can_be_reached_and_the_others_cannot() -> None:
    services = of_kind("Service")
    assert set(services) == {GATEWAY}
    assert services[GATEWAY]["spec"]["selector"] == {"app.kubernetes.io/name": GATEWAY}
    assert services[GATEWAY]["spec"]["ports"][0]["targetPort"] == "http"


def test_meters_are_added_for_usage_that_waits() -> None:
    (scaled,) = of_kind("ScaledObject").values()
    target = scaled["spec"]["scaleTargetRef"]["name"]
    assert target == named("cost_metering")
    # Two who say how many would disagree at every release.
    assert "replicas" not in DEPLOYMENTS[target]["spec"]
    (trigger,) = scaled["spec"]["triggers"]
    durables = {each.name for service in load_services() for each in service.durables}
    (consumer,) = re.findall(r'consumer="([^"]+)"', trigger["metadata"]["query"])
    assert consumer in durables
    others = sum(each["spec"].get("replicas", 0) for each in DEPLOYMENTS.values())
    assert POOL_SIZE * (scaled["spec"]["maxReplicaCount"] + others) < 200


def test_the_readme_names_every_secret_that_must_be_made() -> None:
    readme = (FOLDER / "README.md").read_text()
    for process in PROCESSES:
        assert re.search(rf"for name in [a-z_ ]*\b{process}\b", readme)

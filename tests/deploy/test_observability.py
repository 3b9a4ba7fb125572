"""Alert rules and dashboard speak of metrics that the code has, and of nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.services import load_services
from services.gateway.app import create_app
from services.gateway.edge import live_streams

FOLDER = Path(__file__).parents[2] / "deploy" / "observability"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
SCALING = yaml.safe_load((FOLDER.parent / "kubernetes" / "scaling.yaml").read_text())
# Labels that Prometheus and histograms add to ours.
ADDED = {"job", "le"}
WORDS = {
    *("sum", "max", "by", "on", "unless", "or", "rate", "increase", "absent"),
    *("histogram_quantile", "topk"),
}


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    query = SCALING["spec"]["triggers"][0]["metadata"]["query"]
    return [*(rule["expr"] for rule in RULES), *panels, query]


def metrics() -> dict[str, set[str]]:
    """What is exported, with the labels of each: every service and the gateway are loaded."""
    assert load_services()
    assert create_app is not None
    assert live_streams is not None
    found: dict[str, set[str]] = {}
    for collector, names in REGISTRY._collector_to_names.items():
        for name in names:
            found[name] = set(getattr(collector, "_labelnames", ()))
    return found


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_metrics_and_labels_that_there_are(expression: str) -> None:
    known = metrics()
    used = set(re.findall(r"\bbilling_\w+", expression))
    assert used
    assert used <= set(known)
    labels = {label for name in used for label in known[name]} | ADDED
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    words = set(re.findall(r"[a-z_]\w*", bare)) - used
    assert words - WORDS <= labels
    assert bare.count("(") == bare.count(")")
    assert bare.count("{") == bare.count("}")


def test_a_metric_that_is_not_there_would_be_noticed() -> None:
    assert "billing_outbox_age_seconds" in metrics()
    assert "billing_outbox_age" not in metrics()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_says_what_is_wrong_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "action"}
    assert rule["annotations"]["summary"].endswith(".")
    assert re.fullmatch(r"[0-9]+[smh]", rule.get("for", "1m"))
    for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
        assert re.search(rf"by \([a-z, ]*\b{label}\b", rule["expr"]), label


def test_what_must_be_watched_is_watched() -> None:
    watched = " ".join(rule["expr"] for rule in RULES)
    for name in (
        "billing_auditor_parked_accounts",
        "billing_auditor_findings",
        "billing_auditor_round_age_seconds",
        "billing_outbox_age_seconds",
        "billing_dead_letters_parked",
        "billing_steps_parked",
        "billing_consumer_pending",
        "billing_refunds_failed_total",
    ):
        assert name in watched
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


def test_panels_stand_beside_each_other_and_have_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells

"""`make contracts`: writes what this system says to others into `docs/`.

`asyncapi.json` tells the bus (AsyncAPI 3.0) with the schema of every contract, `openapi.json` the
gateway (OpenAPI 3.1). A contract may only gain optional fields: anything else is refused.
"""

import argparse
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

import shared.contracts
from deploy.services import load_services
from services.gateway.documents import openapi_document
from shared.bus import (
    IDEMPOTENCY_HEADER,
    MESSAGE_ID_HEADER,
    PRINCIPAL_HEADER,
    REFUSAL_HEADER,
    TIMEOUT_HEADER,
    TRACE_HEADER,
)
from shared.contracts.base import (
    Contract,
    Event,
    Refusal,
    Request,
    event_subject,
    name_of,
    owner_of,
    reply_type_of,
    request_subject,
)
from shared.contracts.usage import GaugeRead, LlmCall, UsageEnvelope, WorkflowEnded, usage_subject
from shared.service import Service

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = "#/components/schemas/{name}"
# What the events in an envelope are, by the kind in its subject.
ENVELOPED: Mapping[str, type[Contract]] = {
    "llm": LlmCall,
    "workflow": WorkflowEnded,
    "gauge": GaugeRead,
}
HEADERS: Mapping[type[Contract], tuple[str, ...]] = {
    Event: (MESSAGE_ID_HEADER, TRACE_HEADER),
    Request: (IDEMPOTENCY_HEADER, PRINCIPAL_HEADER, TIMEOUT_HEADER, TRACE_HEADER),
    Refusal: (REFUSAL_HEADER,),
}
Json = dict[str, Any]


def all_contracts() -> dict[str, type[Contract]]:
    """Every contract by `module.Name`, whoever owns it."""
    found: dict[str, type[Contract]] = {}
    for module in pkgutil.iter_modules(shared.contracts.__path__):
        for _, value in inspect.getmembers(import_module(f"shared.contracts.{module.name}")):
            if _is_contract(value):
                found[f"{owner_of(value)}.{value.__name__}"] = value
    return dict(sorted(found.items()))


def _is_contract(value: Any) -> bool:
    plain = {Contract, Event, Request, shared.contracts.Reply}
    return isinstance(value, type) and issubclass(value, Contract) and value not in plain


def schemas() -> dict[str, Json]:
    """The JSON schema of every contract, by its name on the wire."""
    _, components = msgspec.json.schema_components(
        list(all_contracts().values()), ref_template=SCHEMAS
    )
    # Through JSON, because a tuple there is a list.
    plain: dict[str, Json] = json.loads(msgspec.json.encode(components))
    return dict(sorted(plain.items()))


def asyncapi_document() -> Json:
    """The whole bus: what agents publish, what happened, what may be asked."""
    channels: dict[str, Json] = {}
    operations_: dict[str, Json] = {}
    messages: dict[str, Json] = {"Refusal": _message(Refusal)}
    messages["UsageEnvelope"] = _message(UsageEnvelope)
    for kind, event in ENVELOPED.items():
        messages[event.__name__] = _message(event)
        channels[f"usage_{kind}"] = _usage_channel(kind, event)
    for contract in all_contracts().values():
        if issubclass(contract, Event):
            messages[contract.__name__] = _message(contract)
            _add_event(contract, channels, operations_)
    for owner, request in _asked():
        reply = reply_type_of(request)
        messages[request.__name__] = _message(request)
        messages[reply.__name__] = _message(reply)
        _add_request(owner, request, channels, operations_)
    for service in load_services():
        _add_intakes(service, operations_)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "OmoiOS Billing on the bus", "version": "1"},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations_,
        "components": {
            "messages": messages,
            "messageTraits": {kind.__name__: _trait(names) for kind, names in HEADERS.items()},
            "schemas": schemas(),
        },
    }


def _asked() -> Iterable[tuple[str, type[Request[Any]]]]:
    """Every request with the service that answers it."""
    for service in load_services():
        for kind in (
            *(each.kind for each in service.answered),
            *(step.request for step in service.answering_steps),
        ):
            yield service.name, kind


def _message(contract: type[Contract]) -> Json:
    traits = [kind.__name__ for kind in HEADERS if issubclass(contract, kind)]
    return {
        "traits": [{"$ref": f"#/components/messageTraits/{name}"} for name in traits],
        "name": contract.__name__,
        "summary": (inspect.getdoc(contract) or "").partition("\n")[0],
        "payload": {"$ref": SCHEMAS.format(name=contract.__name__)},
    }


def _trait(headers: Iterable[str]) -> Json:
    return {"headers": {"type": "object", "properties": {h: {"type": "string"} for h in headers}}}


def _ref(message: type) -> Json:
    return {"$ref": f"#/components/messages/{message.__name__}"}


def _usage_channel(kind: str, event: type[Contract]) -> Json:
    return {
        "address": usage_subject(kind, "{organization_id}", "{agent_id}"),
        "description": "An agent's own subject, kept by the work queue USAGE. "
        f"The envelope's events are each a {event.__name__}.",
        "parameters": {"organization_id": {}, "agent_id": {}},
        "messages": {"UsageEnvelope": _ref(UsageEnvelope)},
    }


def _operation(service: str, action: str, channel: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "tags": [{"name": service}],
    }


def _add_intakes(service: Service, found: dict[str, Json]) -> None:
    """What a service hears and takes, each from a durable consumer of its own."""
    for intake in service.intakes:
        words = [word for word in intake.durable.subject.split(".") if word != "*"]
        verb = "hears" if intake.kind is not None else "takes"
        found[f"{service.name}_{verb}_{'_'.join(words[1:])}"] = {
            **_operation(service.name, "receive", "_".join(words)),
            "description": f"Durable consumer {intake.durable.name}; replicas share it.",
        }


def _add_event(event: type[Event], channels: dict[str, Json], found: dict[str, Json]) -> None:
    channel = f"event_{owner_of(event)}_{name_of(event)}"
    channels[channel] = {
        "address": event_subject(event, "{organization_id}"),
        "description": "A fact; JetStream EVENTS, under a Nats-Msg-Id that stays the same.",
        "parameters": {"organization_id": {}},
        "messages": {event.__name__: _ref(event)},
    }
    owner = owner_of(event)
    found[f"{owner}_says_{name_of(event)}"] = _operation(owner, "send", channel)


def _add_request(
    owner: str, request: type[Request[Any]], channels: dict[str, Json], found: dict[str, Json]
) -> None:
    reply = reply_type_of(request)
    channel = f"ask_{owner}_{name_of(request)}"
    channels[channel] = {
        "address": request_subject(request, owner),
        "description": "Core request and reply, in a queue group of the service.",
        "messages": {request.__name__: _ref(request)},
    }
    channels[f"{channel}_reply"] = {
        "address": None,
        "messages": {reply.__name__: _ref(reply), "Refusal": _ref(Refusal)},
    }
    found[f"{owner}_answers_{name_of(request)}"] = {
        **_operation(owner, "receive", channel),
        "reply": {"channel": {"$ref": f"#/channels/{channel}_reply"}},
    }


def documents() -> Mapping[str, Json]:
    """Every document by its file's name."""
    return {
        "asyncapi.json": asyncapi_document(),
        "openapi.json": openapi_document(),
    }


def broken_promises(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[str]:
    """How schemas changed in a way that breaks whoever speaks the old ones."""
    broken = []
    for name, old in before.items():
        new = now.get(name)
        if new is None:
            broken.append(f"{name} is gone")
            continue
        if "properties" not in old and old != new:
            broken.append(f"{name} is another")
        for field, schema in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                broken.append(f"{name}.{field} is gone")
            elif new["properties"][field] != schema:
                broken.append(f"{name}.{field} is another")
        added = set(new.get("required", ())) - set(old.get("required", ()))
        broken += [f"{name}.{field} is required now" for field in sorted(added)]
    return broken


def stored_schemas() -> Mapping[str, Json]:
    """The contracts as they were when the document was last written."""
    path = DOCS / "asyncapi.json"
    if not path.exists():
        return {}
    found: Mapping[str, Json] = json.loads(path.read_text())["components"]["schemas"]
    return found


def text_of(document: Json) -> str:
    """As it stands in the file."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument(
        "--break", dest="may_break", action="store_true", help="before a release: change contracts"
    )
    options = parser.parse_args(arguments)
    broken = [] if options.may_break else broken_promises(stored_schemas(), schemas())
    if broken:
        sys.stderr.write(f"Others speak the old contracts: {'; '.join(broken)}.\n")
        return 1
    stale = []
    for name, document in documents().items():
        path, text = DOCS / name, text_of(document)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not options.check:
            DOCS.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} is written anew.")
    if options.check and stale:
        sys.stderr.write(f"Run `make contracts`: docs/{', docs/'.join(stale)} say what was.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A gateway for tests: services that answer what a test says, and tokens of every kind."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import jwt
import msgspec
import nkeys
from litestar import Litestar

from services.gateway.app import create_app
from services.gateway.service_keys import new_service_key
from services.gateway.settings import GatewaySettings
from shared.clock import FixedClock
from shared.contracts.base import Done, Refusal, Reply, Request
from shared.contracts.cost_metering import (
    AgentRegistered,
    CostByModel,
    CostPage,
    CostRecord,
    CostSummary,
    DailyCost,
    DailyCosts,
    GetCostSummary,
    GetDailyCosts,
    ListCosts,
    ListPriceOverrides,
    ListProducerHoles,
    ListUnpricedModels,
    PriceOverride,
    PriceOverrides,
    ProducerHole,
    ProducerHoles,
    RegisterAgent,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
    UnpricedModel,
    UnpricedModels,
)
from shared.contracts.notices import (
    GetNoticePreview,
    ListNotices,
    Notice,
    NoticePreview,
    Notices,
)
from shared.contracts.operations import (
    DeadLetter,
    DeadLetters,
    DiscardDeadLetters,
    ListDeadLetters,
    ListParkedSteps,
    ParkedStep,
    ParkedSteps,
    ReplayDeadLetters,
    ResumeParkedSteps,
    ShowDeadLetter,
    ShowParkedStep,
)
from shared.credentials import new_key, public_key
from tests.gateway import audit_answers, billing_answers, invoice_answers

R = TypeVar("R", bound=Reply)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "a secret of the tests, longer than 32 bytes"
ORIGIN = "http://localhost:3000"
SERVICE_KEY, SERVICE_ENTRY = new_service_key("platform")

SUMMARY = CostSummary(
    cost_picousd=7_500_000_000,
    tokens=1500,
    records=1,
    unpriced_records=0,
    unpriced_tokens=0,
    suspect_records=0,
    breakdown=(
        CostByModel(
            provider="openai", model="gpt-4o", cost_picousd=7_500_000_000, tokens=1500, records=1
        ),
    ),
)
RECORD = CostRecord(
    record_id="0199-record",
    event_id="event-1",
    task_id="task-1",
    agent_id="agent-1",
    sandbox_id=None,
    provider="openai",
    model="gpt-4o",
    matched_model="gpt-4o",
    prompt_tokens=1000,
    completion_tokens=500,
    cache_read_tokens=100,
    cache_write_tokens=0,
    reasoning_tokens=20,
    prompt_cost_picousd=2_500_000_000,
    completion_cost_picousd=5_000_000_000,
    pricing_status="priced",
    suspect_reason=None,
    billable=True,
    occurred_at=NOW - timedelta(minutes=2),
    recorded_at=NOW - timedelta(minutes=1),
)
OVERRIDE = PriceOverride(
    override_id="override-1",
    provider="acme-llm",
    model="frontier",
    match="exact",
    organization_id=None,
    rates=TokenRates(input="3", output="15"),
    effective_from=NOW,
    effective_to=None,
    reason="contract",
    created_by="user:root",
    created_at=NOW,
)
LETTER = DeadLetter(
    letter_id=7,
    consumer="cost_metering-usage-llm",
    subject="usage.llm.acme.agent-1",
    reason="malformed",
    detail="not JSON",
    organization_id="acme",
    state="parked",
    occurrences=1,
    first_seen_at=NOW,
    last_seen_at=NOW,
)
STEP = ParkedStep(
    step_id="collect_payment:acme/1",
    kind="collect_payment",
    organization_id="acme",
    status="parked",
    attempts=50,
    last_error="ConnectionError: away",
    created_at=NOW,
    due_at=NOW,
)
NOTICE = Notice(
    notice_id="notice-1",
    organization_id="acme",
    kind="invoice_issued",
    severity="info",
    title="Invoice INV-1 is ready",
    text="$19.99 is due.",
    reference="invoice-1",
    raised_at=NOW,
    mail_status="sent",
    mail_detail=None,
    mailed_at=NOW,
)
HOLE = ProducerHole(
    organization_id="acme", agent_id="agent-1", producer="p", first=3, last=4, noticed_at=NOW
)
UNPRICED = UnpricedModel(
    provider="acme-llm",
    model="frontier",
    records=2,
    tokens=10,
    organizations=1,
    first_seen_at=NOW,
)

ANSWERS: Mapping[type[Request[Any]], Any] = {
    **audit_answers.ANSWERS,
    **billing_answers.ANSWERS,
    **invoice_answers.ANSWERS,
    GetCostSummary: SUMMARY,
    ListCosts: CostPage(records=(RECORD,)),
    GetDailyCosts: DailyCosts(
        days=(
            DailyCost(
                day=date(2026, 11, 22),
                provider="openai",
                model=None,
                cost_picousd=7_500_000_000,
                tokens=1500,
                records=1,
                unpriced_records=0,
            ),
        )
    ),
    RegisterAgent: AgentRegistered(agents=1),
    ListUnpricedModels: UnpricedModels(models=(UNPRICED,)),
    ListPriceOverrides: PriceOverrides(overrides=(OVERRIDE,)),
    SetPriceOverride: PriceOverrides(overrides=(OVERRIDE,)),
    RepriceCosts: Done(affected=3),
    ListProducerHoles: ProducerHoles(holes=(HOLE,)),
    ListNotices: Notices(notices=(NOTICE,)),
    GetNoticePreview: NoticePreview(subject="Hello", text="Hello", html="<p>Hello</p>"),
    ListDeadLetters: DeadLetters(letters=(LETTER,)),
    ShowDeadLetter: DeadLetters(letters=(LETTER,)),
    ReplayDeadLetters: Done(affected=1),
    DiscardDeadLetters: Done(affected=1),
    ListParkedSteps: ParkedSteps(steps=(STEP,)),
    ShowParkedStep: ParkedSteps(steps=(STEP,)),
    ResumeParkedSteps: Done(affected=1),
}


class Asked(msgspec.Struct):
    """One request as the bus saw it."""

    request: Any
    owner: str | None
    principal: str | None
    idempotency_key: str | None
    timeout_seconds: float


class ScriptedServices:
    """Answers requests from a table; a reply, a refusal, an exception to raise, or what a
    function makes of the request.

    Every request must survive the wire, as a service would decode it.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what a test scripted and saw."""
        self.answers: dict[type[Any], Any] = dict(ANSWERS)
        self.asked: list[Asked] = []

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def ask(
        self,
        request: Request[R],
        *,
        owner: str | None = None,
        principal: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> R | Refusal:
        decoded = msgspec.json.decode(msgspec.json.encode(request), type=type(request))
        assert decoded == request
        self.asked.append(Asked(request, owner, principal, idempotency_key, timeout_seconds))
        answer = self.answers[type(request)]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        found: R | Refusal = answer
        return found


def settings(folder: Path | None = None, **changes: Any) -> GatewaySettings:
    """Safe settings; with a folder, ones that can issue agents' credentials."""
    given: dict[str, Any] = {
        "auth_secret": SECRET,
        "service_keys": SERVICE_ENTRY,
        "rate_limit_per_second": 1_000_000.0,
        "rate_limit_burst": 1_000_000,
        "attaches_per_hour": 1_000_000,
        "checkouts_per_hour": 1_000_000,
        "invoices_per_hour": 1_000_000,
        "payments_per_hour": 1_000_000,
        "frontend_folder": "no page is built here",
        **changes,
    }
    if folder is not None:
        seed = folder / "signing.seed"
        seed.write_text(new_key(nkeys.PREFIX_BYTE_ACCOUNT).seed.decode())
        given["agent_signing_seed"] = str(seed)
        given["agents_account"] = public_key(new_key(nkeys.PREFIX_BYTE_ACCOUNT))
        given["public_nats_url"] = "nats://127.0.0.1:4222"
    return GatewaySettings(**given)


def token(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A token of alice, owner of acme, for an hour; None takes a claim away."""
    claims: dict[str, Any] = {
        "sub": "alice",
        "iss": "billing",
        "aud": "billing",
        "exp": int((NOW + timedelta(hours=1)).timestamp()),
        "orgs": {"acme": "owner"},
        **changes,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, secret, algorithm=algorithm)


def part(value: object) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def unsigned(text: str) -> str:
    """The same claims under `alg: none`."""
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{text.split('.')[1]}."


def bearer(text: str | None = None) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token() if text is None else text}"}


OPERATOR = bearer(token(sub="root", orgs={}, operator=True))


@asynccontextmanager
async def client_of(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application; it has nothing to start, so no lifespan is run."""
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def app_of(
    services: ScriptedServices, given: GatewaySettings | None = None, **more: Any
) -> Litestar:
    """An application over scripted services, its clock standing at NOW."""
    return create_app(given or settings(), services, FixedClock(NOW), **more)


def http_scope(method: str, path: str, headers: Mapping[str, str] | None = None) -> Any:
    """An ASGI scope, for answers that httpx's transport cannot read piece by piece."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
        ],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }

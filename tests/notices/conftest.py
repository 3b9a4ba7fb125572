"""A running notices, its mail server, and an organization that others tell of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from services.notices.app import service as notices
from services.notices.settings import NoticesSettings
from shared.bus import Bus
from shared.clock import FixedClock
from shared.contracts.account import AccountChanged, Buyer
from shared.contracts.base import Event, event_subject
from shared.contracts.notices import ListNotices, Notice, NoticeRaised, Notices
from shared.contracts.subscription import PlanChanged
from shared.runtime import Runtime
from tests.notices.post import Post
from tests.stack import Stack, until

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def post() -> AsyncIterator[Post]:
    """A mail server."""
    server = Post()
    await server.open()
    yield server
    await server.close()


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    """The time of notices; it only moves forward."""
    return FixedClock(AT)


@pytest.fixture(scope="module")
async def running(stack: Stack, post: Post, clock: FixedClock) -> AsyncIterator[Runtime]:
    """Notices, which mails through the server."""
    given = stack.settings("notices")
    settings = NoticesSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
        smtp_url=post.url,
        smtp_from="OmoiOS Billing <billing@omoios.test>",
        billing_page_url="https://app.test/settings/billing",
    )
    runtime = Runtime(notices, settings, clock)
    app = runtime.app()
    await app.start()
    yield runtime
    await app.stop()


@dataclass
class Customer:
    """An organization as notices hears of it."""

    stack: Stack
    bus: Bus
    organization_id: str
    said: list[NoticeRaised] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.organization_id}@customer.test"

    async def tell(self, *facts: Event) -> None:
        await self.stack.tell(*facts)

    def account(self, version: int = 1, **changes: Any) -> AccountChanged:
        said: dict[str, Any] = {
            "billing_account_id": "ba-1",
            "status": "active",
            "has_payment_method": True,
            "auto_billing_enabled": False,
            "auto_billing_monthly_limit_cents": None,
            "billing_email": self.address,
            "tax_exempt": False,
            "buyer": Buyer(name="Łukasz & Søn"),
            "changed_at": AT,
        }
        return AccountChanged(
            organization_id=self.organization_id, version=version, **{**said, **changes}
        )

    def plan(self, version: int = 1, **changes: Any) -> PlanChanged:
        said: dict[str, Any] = {
            "subscription_id": "sub-1",
            "tier": "pro",
            "status": "active",
            "is_paid": True,
            "suspended": False,
            "current_period_start": AT,
            "current_period_end": datetime(2027, 2, 15, 12, tzinfo=UTC),
            "cancel_at_period_end": False,
            "pending_tier": None,
            "pending_change_at": None,
            "changed_at": AT,
        }
        return PlanChanged(
            organization_id=self.organization_id, version=version, **{**said, **changes}
        )

    async def notices(self) -> list[Notice]:
        """What it was told, oldest first."""
        answer = await self.bus.ask(ListNotices(organization_id=self.organization_id, limit=200))
        assert isinstance(answer, Notices)
        return list(answer.notices)[::-1]

    async def told(self, *titles: str) -> list[Notice]:
        """Wait until it was told exactly this, in any order."""
        return await until(
            self.notices, lambda found: sorted(each.title for each in found) == sorted(titles)
        )

    async def mailed(self, status: str = "sent") -> list[Notice]:
        """Wait until no mail is under way any more."""
        return await until(
            self.notices,
            lambda found: bool(found) and {each.mail_status for each in found} == {status},
        )


@pytest.fixture
async def stranger(stack: Stack, bus: Bus, running: Runtime, organization: str) -> Customer:
    """An organization of which nothing was heard yet."""
    customer = Customer(stack, bus, organization)

    async def note(message: Msg) -> None:
        customer.said.append(msgspec.json.decode(message.data, type=NoticeRaised))

    await bus.connection.subscribe(event_subject(NoticeRaised, organization), cb=note)
    return customer


@pytest.fixture
async def customer(stranger: Customer, stack: Stack) -> Customer:
    """An organization whose address is known."""
    await stranger.tell(stranger.account())
    database = stack.database("notices")

    async def known() -> bool:
        async with database.read() as db:
            found = await db.driver.fetchval(
                "SELECT billing_email FROM organizations WHERE organization_id = $1",
                stranger.organization_id,
            )
            return found is not None

    await until(known, bool)
    await database.close()
    return stranger

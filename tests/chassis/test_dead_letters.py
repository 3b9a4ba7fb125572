"""What an operator sees of dead letters, and what replaying and discarding does."""

import pytest

from deploy.dead_letters import main
from shared.database import Db
from tests.chassis.contracts.shop import OrderPlaced
from tests.chassis.operator import Operator
from tests.chassis.stage import Stage, order
from tests.chassis.toys import Ledger
from tests.stack import until


@pytest.fixture
def operator(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(main, stage, capsys)


class Moody:
    """Refuses an order until its mood is good."""

    def __init__(self) -> None:
        self.is_good = False

    async def __call__(self, _event: OrderPlaced, _db: Db) -> None:
        if not self.is_good:
            raise RuntimeError("bad mood")


async def park_one(stage: Stage, order_id: str = "one") -> None:
    await stage.publish(order(order_id), f"id-{order_id}")
    await until(stage.letters, lambda letters: any(row["state"] == "parked" for row in letters))


async def state(stage: Stage) -> str:
    (letter,) = await stage.letters()
    return str(letter["state"])


async def test_letters_are_listed_and_shown(stage: Stage, operator: Operator) -> None:
    async with stage.running(Ledger(Moody()).service):
        assert await operator("list") == "No dead letters.\n"
        await park_one(stage)
        head, line = (await operator("list")).splitlines()
        assert head.split()[:1] == ["id"]
        assert "handler_failed" in line
        assert "RuntimeError: bad mood" in line
        assert "No dead letters." in await operator("list", "--reason", "malformed")
        shown = await operator("show", "1")
    assert '{"organization_id":"acme","order_id":"one","note":""}' in shown
    assert "event.shop.order_placed.acme" in shown
    assert "parked" in shown


async def test_a_letter_is_replayed_once_its_cause_is_gone(
    stage: Stage, operator: Operator
) -> None:
    mood = Moody()
    async with stage.running(Ledger(mood).service):
        await park_one(stage)
        mood.is_good = True
        assert await operator("replay", "1") == "1 of 1 will be replayed.\n"
        await stage.has_effects("ledger", "one")
        assert await state(stage) == "replayed"
        # And the fact itself, should it be delivered once more, has been heard.
        await until(lambda: stage.publish(order("one"), "id-one"), bool)
        await stage.publish(order("two"), "id-two")
        await stage.has_effects("ledger", "one", "two")
    assert await stage.effects("ledger") == ["one", "two"]


async def test_a_fact_that_was_heard_meanwhile_is_not_heard_again_by_replaying(
    stage: Stage, operator: Operator
) -> None:
    mood = Moody()
    async with stage.running(Ledger(mood).service):
        await park_one(stage)
        mood.is_good = True
        await until(lambda: stage.publish(order("one"), "id-one"), bool)
        await stage.has_effects("ledger", "one")
        await operator("replay", "1")
        await until(lambda: state(stage), lambda found: found == "replayed")
    assert await stage.effects("ledger") == ["one"]


async def test_a_letter_that_fails_again_is_parked_again(stage: Stage, operator: Operator) -> None:
    async with stage.running(Ledger(Moody()).service):
        await park_one(stage)
        await operator("replay", "1")
        (letter,) = await until(stage.letters, lambda letters: letters[0]["occurrences"] == 2)
    assert letter["state"] == "parked"
    assert await stage.effects("ledger") == []


async def test_a_discarded_letter_stays_so_with_its_reason(
    stage: Stage, operator: Operator
) -> None:
    async with stage.running(Ledger(Moody()).service):
        await park_one(stage)
        assert await operator("discard", "1", "--reason", "a test order") == "1 of 1 discarded.\n"
        assert await operator("list") == "No dead letters.\n"
        assert "one" in await operator("show", "1")
        code, printed, _ = await operator.run("replay", "1", service="ledger")
        assert (code, printed) == (1, "0 of 1 will be replayed.\n")
    (letter,) = await stage.letters()
    assert (letter["state"], letter["state_reason"]) == ("discarded", "a test order")


async def test_what_cannot_be_done_is_one_sentence(stage: Stage, operator: Operator) -> None:
    async with stage.running(Ledger().service):
        code, _, error = await operator.run("show", "7", service="ledger")
        assert (code, error) == (1, "No dead letter 7.\n")
        code, _, error = await operator.run("list", service="shop")
        assert (code, error) == (1, "shop gave no answer: shop is not answering.\n")
        code, _, error = await operator.run("list", "--home", "/nowhere", service="ledger")
        assert (code, error) == (1, "There are no credentials in /nowhere/keys/operator.creds.\n")
        answer = await operator.run("show", str(2**70), service="ledger")
        assert answer[0] == 1
        assert answer[2].count("\n") == 1


async def test_letters_wait_for_the_replica_that_can_replay_them(
    stage: Stage, operator: Operator
) -> None:
    async with stage.running(Ledger(Moody()).service):
        await park_one(stage)
    await stage.rows("ledger", "UPDATE dead_letters SET state = 'replaying'")
    mood = Moody()
    mood.is_good = True
    async with stage.running(Ledger(mood).service):
        await stage.has_effects("ledger", "one")
    assert await state(stage) == "replayed"

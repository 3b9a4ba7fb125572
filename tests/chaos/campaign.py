"""One run: agents report, everything is killed, and at the end every pico-dollar is counted."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass
from uuid import uuid4

from tests.chaos.agents import Agent
from tests.chaos.arena import METER, Arena
from tests.chaos.audit import Verdict, judge
from tests.chaos.killer import FAILPOINT_SECONDS, Killer, Point
from tests.cost_metering.oracle import Story, some_poison, some_responses

# Where in the code a meter may be asked to die, all of them.
POINTS = tuple(
    Point(METER, name, turns=3)
    for name in (
        "meter.copied",
        "consumer.uncommitted",
        "consumer.committed",
        "outbox.leased",
        "outbox.published",
    )
)
# Responses per second and organization: enough that every kill falls into work.
RATE = 40
ORGANIZATIONS = 3
POISON = 30
# Counted from the last thing that moved: what a killed relay had leased is published by another
# one after half a minute.
PATIENCE_SECONDS = 45.0
# A control needs its kills, not their number; a broken meter may never settle, nor come by a
# failpoint.
CONTROL_SECONDS = 8.0
CONTROL_PATIENCE_SECONDS = 6.0


@dataclass
class Report:
    """What was done and what came of it."""

    seed: int
    took_seconds: float
    settled_in_seconds: float
    kills: Counter[str]
    published: int
    sent_again: int
    missed: list[str]
    verdict: Verdict

    @property
    def problems(self) -> list[str]:
        """What a clean run has none of."""
        missed = [f"nobody came by the failpoint {name}" for name in self.missed]
        return [*self.verdict.findings, *self.verdict.unrest, *missed]

    def lines(self) -> list[str]:
        verdict = self.verdict
        kills = ", ".join(f"{count} × {name}" for name, count in self.kills.most_common())
        return [
            f"seed {self.seed}, {self.took_seconds:.0f} s,"
            f" the last {self.settled_in_seconds:.0f} of them to settle",
            f"{self.kills.total()} kills: {kills}",
            f"{self.published:,} events published, {self.sent_again:,} envelopes sent again",
            f"{verdict.records:,} records, {verdict.cost_picousd:,} pico-dollars,"
            f" {verdict.parked} dead letters, {verdict.announcements} announcements",
            *(f"WRONG: {problem}" for problem in self.problems),
            "INVARIANTS ARE BROKEN" if self.problems else "every invariant holds",
        ]


async def campaign(
    arena: Arena,
    seed: int,
    seconds: float,
    patience_seconds: float = PATIENCE_SECONDS,
    failpoint_seconds: float = FAILPOINT_SECONDS,
) -> Report:
    """Have agents report for so long, kill meanwhile, and judge when all has been delivered."""
    began = time.monotonic()
    stories = tell_stories(seed, int(RATE * seconds))
    agents = [
        Agent(arena.stack, organization_id, agent_id, bodies, random.Random(f"{seed} {agent_id}"))
        for organization_id, story in stories.items()
        for agent_id, bodies in story.envelopes.items()
    ]
    killer = Killer(arena, seed, POINTS, failpoint_seconds=failpoint_seconds)
    # Something is left whenever the killer ends, so that the last kill falls into work too.
    delivering = [asyncio.create_task(agent.deliver(seconds)) for agent in agents]
    try:
        await killer.rage(seconds)
        for agent in agents:
            agent.hurry.set()
        await asyncio.gather(*delivering)
    finally:
        for task in delivering:
            task.cancel()
    settling = time.monotonic()
    verdict = await judge(arena, stories, patience_seconds)
    return Report(
        seed=seed,
        took_seconds=time.monotonic() - began,
        settled_in_seconds=time.monotonic() - settling,
        kills=killer.kills,
        published=sum(story.published for story in stories.values()),
        sent_again=sum(agent.sent_again for agent in agents),
        missed=killer.missed,
        verdict=verdict,
    )


async def control(arena: Arena, bug: str, seed: int) -> Report:
    """A short run with a bug in every meter, which must not go unnoticed."""
    await arena.start_meters(2, SEEDED_BUG=bug)
    try:
        return await campaign(
            arena, seed, CONTROL_SECONDS, CONTROL_PATIENCE_SECONDS, CONTROL_PATIENCE_SECONDS
        )
    finally:
        await arena.clear()


def tell_stories(seed: int, responses: int) -> dict[str, Story]:
    """What the agents of each organization publish; the same for the same seed."""
    dice = random.Random(seed)
    return {
        f"org-{uuid4().hex[:12]}": Story(some_responses(responses, dice), some_poison(POISON), dice)
        for _ in range(ORGANIZATIONS)
    }

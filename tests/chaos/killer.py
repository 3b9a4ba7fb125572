"""A killer with a seed: who dies when, and where in the code."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos.ground import Ground
from tests.processes import Process

# A bound, not a wait: on a busy machine a replica needs seconds to start, and more to get work.
FAILPOINT_SECONDS = 60.0


class Point(NamedTuple):
    """Where in the code a replica of a service is asked to die, once in every run.

    It does at its first, second … or `turns`th coming by.
    """

    service: str
    name: str
    turns: int = 1


@dataclass
class Killer:
    """Kills with two hands, one for the replicas and one for NATS and PostgreSQL."""

    ground: Ground
    seed: int
    points: Sequence[Point]
    # How much longer than for meters it waits between two kills.
    patience: float = 1.0
    failpoint_seconds: float = FAILPOINT_SECONDS
    kills: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    async def rage(self, seconds: float) -> None:
        """Kill for so long, and at least until one has died at each failpoint."""
        end = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(self._kill_replicas(end), self._kill_servers(end))

    async def _kill_replicas(self, end: float) -> None:
        dice = random.Random(f"{self.seed} replicas")
        points = dice.sample(self.points, len(self.points))
        while asyncio.get_running_loop().time() < end or points:
            await asyncio.sleep(self.patience * dice.uniform(0.1, 0.8))
            replica = dice.choice(self.ground.replicas)
            down = dice.uniform(0.0, 0.4)
            match dice.choice(("kill", "pause", "failpoint")):
                case "pause":
                    replica.signal(signal.SIGSTOP)
                    await asyncio.sleep(down)
                    replica.signal(signal.SIGCONT)
                case "failpoint" if points:
                    await self._kill_at(points.pop(), dice)
                case _:
                    self.kills[replica.name] += await replica.kill()
                    await asyncio.sleep(down)
                    replica.start()
                    # Sometimes it lives until it works again, sometimes it dies while it starts.
                    if dice.random() < 0.5:
                        await replica.ready()

    async def _kill_at(self, point: Point, dice: random.Random) -> None:
        """Have a replica die at a point of the code, when it comes by."""
        name = f"{point.service} at {point.name}"
        replica: Process = dice.choice([r for r in self.ground.replicas if r.name == point.service])
        await replica.kill()
        replica.start(failpoints=f"{point.name}:{dice.randint(1, point.turns)}")
        if await replica.ended(self.failpoint_seconds) == -signal.SIGKILL:
            self.kills[name] += 1
        else:
            self.missed.append(name)
            await replica.kill()
        replica.start()

    async def _kill_servers(self, end: float) -> None:
        dice = random.Random(f"{self.seed} servers")
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(self.patience * dice.uniform(0.3, 1.5))
            down = dice.uniform(0.0, 0.4)
            victim = dice.choice(("nats", "postgres"))
            if victim == "nats":
                await self.ground.restart_nats(down)
            else:
                await self.ground.restart_postgres(down)
            self.kills[victim] += 1

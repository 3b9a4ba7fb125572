"""A killer with a seed: who dies when, and where in the code."""

import asyncio
import random
import signal
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.arena import Arena
from tests.processes import Process

# Where in the code a meter may be asked to die, all of them.
FAILPOINTS = (
    "meter.copied",
    "consumer.uncommitted",
    "consumer.committed",
    "outbox.published",
)
# A bound, not a wait: on a busy machine a meter needs seconds to start, and more to get work.
FAILPOINT_SECONDS = 60.0


@dataclass
class Killer:
    """Kills with two hands, one for the meters and one for NATS and PostgreSQL."""

    arena: Arena
    seed: int
    failpoint_seconds: float = FAILPOINT_SECONDS
    kills: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    async def rage(self, seconds: float) -> None:
        """Kill for so long, and at least until a meter has died at each failpoint."""
        end = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(self._kill_meters(end), self._kill_servers(end))

    async def _kill_meters(self, end: float) -> None:
        dice = random.Random(f"{self.seed} meters")
        points = dice.sample(FAILPOINTS, len(FAILPOINTS))
        while asyncio.get_running_loop().time() < end or points:
            await asyncio.sleep(dice.uniform(0.1, 0.8))
            meter = dice.choice(self.arena.meters)
            down = dice.uniform(0.0, 0.4)
            match dice.choice(("kill", "pause", "failpoint")):
                case "pause":
                    meter.signal(signal.SIGSTOP)
                    await asyncio.sleep(down)
                    meter.signal(signal.SIGCONT)
                case "failpoint" if points:
                    await self._kill_at(points.pop(), dice.randint(1, 3), meter)
                case _:
                    self.kills["meter"] += await meter.kill()
                    await asyncio.sleep(down)
                    meter.start()
                    # Sometimes it lives until it works again, sometimes it dies while it starts.
                    if dice.random() < 0.5:
                        await meter.ready()

    async def _kill_at(self, point: str, times: int, meter: Process) -> None:
        """Have a meter die at a point of the code, when it comes by for the so manieth time."""
        await meter.kill()
        meter.start(failpoints=f"{point}:{times}")
        await meter.ended(self.failpoint_seconds)
        if meter.exit_code == -signal.SIGKILL:
            self.kills[point] += 1
        else:
            self.missed.append(point)
            await meter.kill()
        meter.start()

    async def _kill_servers(self, end: float) -> None:
        dice = random.Random(f"{self.seed} servers")
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            down = dice.uniform(0.0, 0.4)
            victim = dice.choice(("nats", "postgres"))
            if victim == "nats":
                await self.arena.restart_nats(down)
            else:
                await self.arena.restart_postgres(down)
            self.kills[victim] += 1

"""`python -m tests.chaos`: kill everything again and again, and count every pico-dollar."""

import argparse
import asyncio
import secrets
import sys

from tests.chaos.arena import arena
from tests.chaos.bugs import BUGS
from tests.chaos.campaign import campaign, control
from tests.chaos.firm import firm
from tests.chaos.ground import Ground
from tests.chaos.trade import trade
from tests.processes import Deployed, Hatched, Process


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat a run's choices (default: random)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to kill")
    parser.add_argument("--replicas", type=int, default=2, help="meters at work")
    parser.add_argument(
        "--as-deployed",
        action="store_true",
        help="run the meters as production does; what a dead one leased is then free after 30 s",
    )
    parser.add_argument(
        "--controls", action="store_true", help="seed one bug after the other; each must be noticed"
    )
    parser.add_argument(
        "--only",
        choices=("meters", "services"),
        help="meters with agents, or all services and the gateway with buyers (default: both)",
    )
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    if options.controls:
        return asyncio.run(run_controls(seed))
    kind = Deployed if options.as_deployed else Hatched
    failed = 0
    if options.only != "services":
        failed += asyncio.run(run(seed, options.seconds, options.replicas, kind))
    if options.only != "meters":
        failed += asyncio.run(run_services(seed, options.seconds))
    return failed


async def run_services(seed: int, seconds: float) -> int:
    print(f"seed {seed}: all services and the gateway, {seconds:g} s of kills", flush=True)
    async with firm() as found:
        report = await trade(found, seed, seconds)
        print("\n".join(report.lines()), flush=True)
        if report.problems:
            show_logs(found.ground)
    return int(bool(report.problems))


def show_logs(ground: Ground) -> None:
    for log in sorted(ground.folder.glob("*.log")):
        print(f"--- {log.name}\n{log.read_text()[-4000:]}")


async def run(seed: int, seconds: float, replicas: int, kind: type[Process]) -> int:
    print(f"seed {seed}: {replicas} meters, {seconds:g} s of kills", flush=True)
    async with arena() as found:
        await found.start_meters(replicas, kind)
        report = await campaign(found, seed, seconds)
        print("\n".join(report.lines()), flush=True)
        if report.problems:
            show_logs(found)
    return int(bool(report.problems))


async def run_controls(seed: int) -> int:
    print(f"seed {seed}: {len(BUGS)} bugs", flush=True)
    unnoticed = []
    async with arena() as found:
        for bug in BUGS:
            report = await control(found, bug, seed)
            findings = report.verdict.findings
            first = findings[0] if findings else "NOT NOTICED"
            print(f"{bug} ({report.took_seconds:.0f} s): {first}", flush=True)
            unnoticed += [] if findings else [bug]
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())

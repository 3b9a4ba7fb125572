"""A service as it is, less patient: what a dead process had leased is free after seconds.

It is hatched from a process that has imported everything already, so that a killed one is back at
once; `tests.chaos.bugs` can break a meter on purpose.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta

from services.stripe_gateway.store import leases
from shared import failpoints
from shared.logs import configure
from shared.process import serve
from shared.runtime import Runtime, Times
from shared.settings import load
from shared.steps import StepTimes
from tests.chaos import bugs
from tests.stack import SERVICES

TIMES = Times(
    steps=StepTimes(
        lease_seconds=4.0, call_seconds=3.5, longest_delay_seconds=2.0, max_attempts=500
    ),
    relay_lease_seconds=2.0,
    monitor_seconds=1.0,
)
# As ever, longer than a step may take for its call.
LANE = timedelta(seconds=5)
PR_SET_PDEATHSIG = 1


def run(name: str, environment: Mapping[str, str], log: str) -> None:
    """Be a service with this environment, until killed or told to stop."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    (service,) = (each for each in SERVICES if each.name == name)
    leases.LEASE = LANE
    failpoints.arm(environment["FAILPOINTS"])
    bugs.introduce(environment.get("SEEDED_BUG"), environment["DATABASE_URL"])
    settings = load(service.settings, environment)
    configure(service.name, settings.log_level)
    sys.exit(serve(Runtime(service, settings, times=TIMES)))

"""A toy as a process of its own: `python -m tests.chassis shop|ledger`, its times in TOY_TIMES."""

import os
import sys

import msgspec

from shared.logs import configure
from shared.process import serve
from shared.runtime import Runtime, Times
from shared.settings import ServiceSettings, SettingsError, load
from tests.chassis.toys import Ledger, Shop

if __name__ == "__main__":
    toy = {"shop": Shop, "ledger": Ledger}[sys.argv[1]]()
    try:
        settings = load(ServiceSettings)
    except SettingsError as error:
        sys.exit(str(error))
    configure(toy.service.name, settings.log_level)
    times = msgspec.json.decode(os.environ["TOY_TIMES"], type=Times)
    sys.exit(serve(Runtime(toy.service, settings, times=times)))

"""Start both servers as `make run` would, say what runs where, and wait to be killed."""

import json
import signal
import sys
from pathlib import Path

from deploy.bus_keys import BusKeys
from tests.servers import start_nats, start_postgres


def main(folder: Path) -> None:
    postgres = start_postgres(folder / "postgres")
    nats = start_nats(folder / "nats", BusKeys.load_or_create(folder / "keys"))
    started = {"pids": [postgres.pid, nats.pid], "run_as": postgres.run_as, "dsn": postgres.dsn}
    print(json.dumps(started), flush=True)
    signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

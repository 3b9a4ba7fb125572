"""PostgreSQL and NATS as child processes, from the binaries in our own virtual environment."""

from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import PortTaken, ServerFailed

__all__ = ["NatsServer", "PortTaken", "Postgres", "ServerFailed"]

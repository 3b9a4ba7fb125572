"""`python -m services.cost_metering`."""

from services.cost_metering.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

"""`python -m services.stripe_gateway`."""

from services.stripe_gateway.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

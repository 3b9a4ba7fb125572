"""`python -m services.subscription`."""

from services.subscription.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

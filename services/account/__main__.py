"""`python -m services.account`."""

from services.account.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

"""`python -m services.auditor`."""

from services.auditor.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

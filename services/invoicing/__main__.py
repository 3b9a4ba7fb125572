"""`python -m services.invoicing`."""

from services.invoicing.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

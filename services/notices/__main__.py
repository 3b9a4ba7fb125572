"""`python -m services.notices`."""

from services.notices.app import service
from shared.process import main

if __name__ == "__main__":
    main(service)

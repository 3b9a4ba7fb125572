"""What a browser must know to touch an object."""

import hmac

from services.stripe_sandbox.errors import Body, missing
from services.stripe_sandbox.work import Work


def check_secret(work: Work, body: Body, params: Body) -> None:
    """With a publishable key, an object is there only for who knows its client secret."""
    given = str(params.get("client_secret", ""))
    if work.origin.public and not hmac.compare_digest(given, str(body["client_secret"])):
        raise missing(body["object"], body["id"])

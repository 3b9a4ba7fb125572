"""What builders of objects share."""

from services.stripe_sandbox.errors import Body

NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def nulls(names: str) -> Body:
    """Fields that Stripe sends as null in what the sandbox can do."""
    return dict.fromkeys(names.split())


def merged(old: Body | None, given: Body | None) -> Body:
    """Metadata after an update: keys are merged, an empty value removes one, None all of them."""
    if given is None:
        return {}
    return {key: value for key, value in {**(old or {}), **given}.items() if value != ""}


def update(body: Body, params: Body, names: str) -> None:
    """Take over the parameters that are named like fields of the object; metadata is merged."""
    for name in names.split():
        if name in params:
            body[name] = params[name]
    if "metadata" in params:
        body["metadata"] = merged(body.get("metadata"), params["metadata"])


def address(given: Body | None) -> Body | None:
    """An address with all its fields."""
    return None if given is None else {**NO_ADDRESS, **given}


def billing_details(given: Body | None) -> Body:
    """Who pays, with all fields."""
    given = given or {}
    return {
        "address": address(given.get("address")) or dict(NO_ADDRESS),
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": given.get("tax_id"),
    }

"""The script that stands in for Stripe.js, run by node against the sandbox."""

import json
import subprocess
from pathlib import Path

import httpx
import stripe

from tests.stripe_sandbox.examples import add_customer, default_card
from tests.stripe_sandbox.running import PUBLISHABLE_KEY, Running

PAGE = Path(__file__).parent / "stripe_js.mjs"


async def test_the_script_saves_and_pays_as_stripe_js_does(
    client: stripe.StripeClient, sandbox: Running, browser: httpx.Client, tmp_path: Path
) -> None:
    served = browser.get("/stripe.js")
    assert served.headers["content-type"].startswith("text/javascript")
    script = tmp_path / "stripe.js"
    script.write_bytes(served.content)
    customer = await add_customer(client, card="")
    setup = await client.v1.setup_intents.create_async({"customer": customer.id})
    payment, hard = [
        await client.v1.payment_intents.create_async(
            {"amount": cents, "currency": "usd", "customer": customer.id}
        )
        for cents in (1999, 2500)
    ]
    arguments = [sandbox.url, PUBLISHABLE_KEY, setup.client_secret, payment.client_secret]
    ran = subprocess.run(
        ["node", str(PAGE), str(script), *map(str, arguments), str(hard.client_secret)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["version"] == "endive"
    assert told["heard"] == {"ready": 1, "change": [True, True]}
    assert told["submitted"] == {"selectedPaymentMethod": "card"}
    assert told["declined"]["error"]["code"] == "card_declined"
    assert {how: said["code"] for how, said in told["typed"].items()} == {
        "nothing": "incomplete_number",
        "short": "incomplete_number",
        "wrong": "invalid_number",
        "undated": "incomplete_expiry",
        "past": "invalid_expiry_year_past",
        "uncoded": "incomplete_cvc",
        "real": "card_declined",
    }
    for said in told["typed"].values():
        refused = said["code"] != "card_declined"
        assert said["complete"] is not refused
        assert said["shown"] == (said["message"] if refused else "")
        assert said.get("submitted") == (said["code"] if refused else None)
    assert told["asked"]["setupIntent"]["status"] == "succeeded"
    assert told["page"].startswith(f"{sandbox.url}/3ds/")
    assert told["dialogLeft"] is False
    assert told["retrieved"]["setupIntent"]["id"] == setup.id
    assert told["paid"]["paymentIntent"]["status"] == "succeeded"
    assert told["again"]["error"]["code"] == "payment_intent_unexpected_state"
    assert told["failed"]["error"]["code"] == "payment_intent_authentication_failure"
    (url,) = told["left"]
    assert url.startswith(f"http://127.0.0.1:3000/billing?payment_intent={hard.id}")
    assert told["live"] == "The Stripe sandbox takes only publishable test keys."
    assert sandbox.ledger(customer=customer.id, kind="charge")["charged"] == 1999 + 2500
    cards = await client.v1.customers.payment_methods.list_async(customer.id)
    assert len(cards.data) == 1
    assert await default_card(client, customer.id) == "None"

"""Every line of the client's testing checklist has a story in a real browser, by name."""

import re

import pytest

from deploy.frontend import FRONTEND

CHECKLIST = {
    "Billing account created on first visit": "the first visit creates the billing account",
    "Subscription data loads correctly": "subscription data loads: tier, price, period, limits",
    "Payment methods list/add/remove work": "a card is removed after a question",
    "Invoices load and filter correctly": "invoices load, and are filtered by status",
    "Cost data loads and displays": "cost data loads and displays: total, chart, models, table",
    "Stripe.js loads with correct publishable key": (
        "Stripe.js loads with the publishable key of this installation, and not before it is needed"
    ),
    "Card form validates input": (
        "the card form validates input: what is missing or wrong is told, and nothing is saved"
    ),
    "Payment method attaches successfully": "a card is added and becomes the default",
    "Checkout redirects work": "credits are bought on the hosted page, and the balance shows them",
    "Customer portal opens": "the customer portal opens, and leads back",
    "Loading states display properly": (
        "loading states display: skeletons first, and nothing moves when data come"
    ),
    "Error messages are user-friendly": (
        "error messages are user-friendly: the server's sentence, and a way to try again"
    ),
    "Tier comparison is clear": (
        "tier comparison is clear: every plan with its price and limits, the current one marked"
    ),
    "Usage warnings appear at limits": "usage warnings appear near limits, in words",
    "Mobile responsive": "nothing scrolls sideways, and what is touched is large enough",
}
TITLE = re.compile(r'^\s*test\("((?:[^"\\]|\\.)*)"', re.MULTILINE)
FEWEST_STORIES = 30


def stories() -> list[str]:
    """The titles of all tests in a browser."""
    texts = [path.read_text() for path in (FRONTEND / "e2e").glob("*.spec.ts")]
    return [title for text in texts for title in TITLE.findall(text)]


@pytest.mark.parametrize("line", CHECKLIST)
def test_a_line_of_the_checklist_has_its_story(line: str) -> None:
    assert stories().count(CHECKLIST[line]) == 1


def test_there_are_as_many_stories_as_were_promised() -> None:
    assert len(stories()) >= FEWEST_STORIES
    assert len(set(stories())) == len(stories())

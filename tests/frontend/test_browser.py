"""The web page in a real browser, against all of `make run`: the stories of its `e2e`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.frontend import FRONTEND
from tests.deploy.local_run import LocalRun
from tests.frontend.playing import PLAY_SECONDS, NotPlayed, installation, play

STORIES = sorted(path.name for path in (FRONTEND / "e2e").glob("*.spec.ts"))
# These move the time of a whole installation, so they have one of their own; and what they are
# about needs a plan with a trial.
TRAVELLING = {"travel.spec.ts"}
SETTINGS = {"TIERS": '{"starter": {"trial_days": 14}}'}


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalRun]:
    """An installation: the one of all stories, or that of those that travel."""
    home = tmp_path_factory.mktemp("installation")
    with installation(home, SETTINGS if request.param == "travelling" else None) as started:
        yield started


@pytest.mark.timeout(2 * PLAY_SECONDS)
@pytest.mark.parametrize(
    ("running", "story"),
    [("travelling" if story in TRAVELLING else "everyday", story) for story in STORIES],
    indirect=["running"],
    scope="module",
)
def test_the_page_does_what_it_should(running: LocalRun, story: str, tmp_path: Path) -> None:
    told = None
    try:
        play(running, "stories", story, output=tmp_path)
    except NotPlayed as failure:
        told = str(failure)
    if told:
        pytest.fail(told, pytrace=False)

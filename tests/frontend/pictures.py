"""`make pictures`: takes a picture of every page and dialog, light and dark, large and small."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.frontend.playing import NotPlayed, installation, play

DEFAULT = Path("var/pictures")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, default=DEFAULT, help="where to (%(default)s)")
    folder = parser.parse_args(arguments).folder.absolute()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "installation"
        home.mkdir()
        try:
            with installation(home) as running:
                settings = {"PICTURES": str(folder)}
                play(running, "pictures", output=Path(place) / "results", settings=settings)
        except NotPlayed as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
    print(f"{len([*folder.glob('*.png')])} pictures in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

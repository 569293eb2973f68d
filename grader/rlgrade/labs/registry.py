"""Which labs there are: the files in `catalogue/`."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

from rlgrade.labs.lab import Lab
from rlgrade.outcome import UsageError

FOLDER = Path(__file__).parent / "catalogue"


def names() -> list[str]:
    """The names of all labs, in the order of their files."""
    return sorted(
        path.stem.replace("_", "-") for path in FOLDER.glob("*.py") if path.stem != "__init__"
    )


def find_lab(name: str) -> Lab:
    """The lab of this name; the first letters are enough where only one begins like that.

    Raises:
        UsageError: there is none.
    """
    wanted = name.lower().replace("_", "-")
    found = [each for each in names() if each == wanted]
    found = found or [each for each in names() if each.startswith(wanted)]
    if len(found) != 1:
        close = found or difflib.get_close_matches(wanted, names(), cutoff=0.5) or names()
        raise UsageError(f"there is no lab {name!r}; did you mean {' or '.join(close)}?")
    lab: Lab = importlib.import_module(f"rlgrade.labs.catalogue.{found[0].replace('-', '_')}").LAB
    return lab


def full_name(name: str) -> str:
    """The whole name of the lab that `find_lab` finds."""
    lab = find_lab(name)
    return next(each for each in names() if find_lab(each) is lab)

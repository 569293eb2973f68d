"""The entry point. The two commands that people type most are answered without click.

Importing click takes three times as long as starting Python. `help.txt` is what click prints for
`rlgrade --help`; a test compares the two, and `scripts/lint --fix` writes it anew.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    answer = None if "_RLGRADE_COMPLETE" in os.environ else quick_answer(sys.argv[1:])
    if answer is not None:
        try:
            sys.stdout.write(answer)
            sys.stdout.flush()
        except BrokenPipeError:  # who read it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    from rlgrade.cli import cli

    cli(prog_name="rlgrade")


def quick_answer(arguments: list[str]) -> str | None:
    """What `--help` or `list` prints; None for everything else, and where something is wrong."""
    if arguments in (["--help"], ["-h"]):
        from rlgrade.places import PACKAGE

        with open(os.path.join(PACKAGE, "help.txt"), encoding="utf-8") as file:
            return file.read()
    if arguments == ["list"]:
        try:
            return quick_list()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # click's `list` says what it is
    return None


def quick_list() -> str:
    """The list of the course that belongs to the current folder, with what was done."""
    from rlgrade.folding import terminal_width
    from rlgrade.listing import listing
    from rlgrade.places import RECORD, STATE, wanted_root, workspace_above

    above = workspace_above(os.getcwd())
    if above is None:
        root = wanted_root()
        inside = (os.getcwd() + os.sep).startswith(root + os.sep)
        state = os.path.join(root, STATE) if inside else None
    else:
        import tomllib

        state = os.path.join(above, STATE)
        with open(os.path.join(state, RECORD), "rb") as file:
            root = wanted_root(tomllib.load(file).get("course"))
    return listing(root, state, sys.stdout.encoding, terminal_width(sys.stdout))

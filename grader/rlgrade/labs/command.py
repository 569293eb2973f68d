"""What `rlgrade lab NAME` does: ask, run, draw, explain, keep."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from rlgrade.folding import folded, terminal_width
from rlgrade.labs.drawing import drawn
from rlgrade.labs.lab import BAND, Lab
from rlgrade.labs.picture import can_draw, save_pictures
from rlgrade.labs.registry import find_lab, full_name, names
from rlgrade.labs.result import FOLDER, LabResult, keep, result_of
from rlgrade.labs.running import Running
from rlgrade.labs.waiting import announce, live_line, whole_lines
from rlgrade.learner.desk import open_desk, short_path
from rlgrade.learner.keeper import local_now, to_stderr
from rlgrade.outcome import UsageError
from rlgrade.plain import fitted, say, shows_unicode
from rlgrade.render import make_console

LETTERS = "abcdefgh"
WIDEST = 100


def list_labs() -> None:
    """Print the name and title of every lab."""
    every = names()
    widest = max(len(name) for name in every)
    for name in every:
        text = f"{name:<{widest}}  {find_lab(name).title}"
        for line in folded(text, terminal_width(sys.stdout), widest + 2):
            say(line)
    say("\nnext: rlgrade lab NAME")


def lab_command(
    course: str | None,
    name: str,
    *,
    first_seed: int,
    count: int | None,
    predict: str | None,
    ask: bool,
    as_json: bool,
) -> None:
    """Run one lab; see `rlgrade lab --help`.

    Raises:
        UsageError: there is no such lab, or no such option to predict.
    """
    name = full_name(name)
    lab = find_lab(name)
    predicted = None if predict is None else _index(lab, predict)
    seeds = range(first_seed, first_seed + (count or lab.seeds))
    console = make_console()
    live = console.is_terminal and not console.is_dumb_terminal and not as_json
    if not live:
        announce(name, lab, len(seeds))
    begun = time.monotonic()
    with Running(name, seeds) as running:  # it runs while the learner thinks
        if not as_json:
            _introduce(console, name, lab, seeds)
            if predicted is None and ask:
                predicted = _ask(console, lab)
        thought = time.monotonic()
        parts = running.count
        measured = running.wait(live_line(console, parts) if live else whole_lines(parts))
    seconds = time.monotonic() - (begun if predicted is None else thought)
    result = result_of(
        name, lab, measured, at=local_now(), seeds=seeds, seconds=seconds, predicted=predicted
    )
    kept = _keep(course, result)
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(result), indent=1).decode()
        print(text)
        return
    show(console, result)
    _say(console, Text())
    for path in kept:
        _say(console, Text(f"saved {short_path(path)}", style="dim"))
    if lab.exercises:
        _say(console, Text(f"you implement this in {', '.join(lab.exercises)}", style="dim"))


def show(console: Console, result: LabResult) -> None:
    """The charts, what was right, and why."""
    width = min(console.width, WIDEST)
    ascii_only = not shows_unicode(console.encoding)
    for chart in result.charts:
        _say(console, Text())
        for line in drawn(chart, width, ascii_only=ascii_only):
            if line.cell_len > width:  # a title, or the names of the variants
                _wrap(console, line, width, hang=2)
            else:
                _say(console, line)
    band = f"{BAND[0]:.0%} to {BAND[1]:.0%}"
    about = f"median and band ({band}) of {len(result.seeds)} seeds, {result.seconds:.1f} s"
    _say(console, Text(about, style="dim"))
    _say(console, Text())
    right = f"{LETTERS[result.answer]}) {result.options[result.answer]}"
    if result.predicted is None:
        _wrap(console, Text(right, style="bold"), width)
    elif result.predicted == result.answer:
        _wrap(console, Text(f"as you predicted: {right}", style="bold green"), width)
    else:
        _wrap(
            console,
            Text(f"you predicted {LETTERS[result.predicted]}; it is {right}", "bold"),
            width,
        )
    if not result.holds:
        note = "These seeds do not show it clearly; more of them would: --seeds 20."
        _wrap(console, Text(note, style="yellow"), width)
    for paragraph in result.explanation:
        _say(console, Text())
        _wrap(console, Text(paragraph), width)


def _introduce(console: Console, name: str, lab: Lab, seeds: Sequence[int]) -> None:
    width = min(console.width, WIDEST)
    head = Text(f"{name}: {lab.title}", style="bold")
    _say(console, head)
    _wrap(console, Text(f"{lab.setting} {len(seeds)} seeds of each."), width)
    _say(console, Text())
    _wrap(console, Text(lab.question.text, style="bold"), width)
    for letter, option in zip(LETTERS, lab.question.options, strict=False):
        _wrap(console, Text(f"  {letter}) {option}"), width, hang=5)
    console.file.flush()  # a pipe would keep it until the end


def _ask(console: Console, lab: Lab) -> int | None:
    if not sys.stdin.isatty():
        note = "no terminal to ask on; predict with --predict LETTER"
        _say(console, Text(note, style="dim"))
        return None
    letters = list(LETTERS[: len(lab.question.options)])
    answer = click.prompt("your prediction", type=click.Choice(letters), show_choices=True)
    return letters.index(answer)


def _index(lab: Lab, letter: str) -> int:
    found = LETTERS.find(letter.lower()) if len(letter) == 1 else -1
    if not 0 <= found < len(lab.question.options):
        last = LETTERS[len(lab.question.options) - 1]
        raise UsageError(f"--predict takes a letter from a to {last}, not {letter!r}")
    return found


def _keep(course: str | None, result: LabResult) -> list[Path]:
    """What was saved; nothing outside a workspace, or where it cannot be written."""
    workspace = open_desk(course).workspace
    if workspace is None:
        return []
    try:
        keep(result, workspace.state)
        return save_pictures(result, workspace.state / FOLDER)[:1] if can_draw() else []
    except (UsageError, OSError) as error:
        to_stderr(f"the result is not kept: {error}")
        return []


def _say(console: Console, text: Text) -> None:
    """A line in characters that the terminal has."""
    encoding = console.encoding
    if not shows_unicode(encoding):
        parts = text.render(console)
        text = Text.assemble(*[(fitted(p.text, encoding), p.style or "") for p in parts])
        text.rstrip()
    console.print(text, soft_wrap=True)


def _wrap(console: Console, text: Text, width: int, hang: int = 0) -> None:
    for number, line in enumerate(text.wrap(console, width - hang)):
        line.rstrip()
        _say(console, Text(" " * hang if number else "") + line)

"""`rlgrade quiz export`: write a file, and say what it could not hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rlgrade.outcome import UsageError
from rlgrade.plain import say
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.export.anki import write_anki
from rlgrade.quiz.export.markdown import write_markdown
from rlgrade.quiz.export.moodle import write_moodle
from rlgrade.quiz.export.page import write_page
from rlgrade.quiz.export.qti import write_qti
from rlgrade.quiz.export.sheets import Loss, Sheet, left_out, make_sheets
from rlgrade.store import write_whole

Write = Callable[[Sequence[Sheet]], tuple[bytes, list[Loss]]]
WRITERS: dict[str, Write] = {
    "anki": write_anki,
    "moodle": write_moodle,
    "qti": write_qti,
    "md": write_markdown,
    "html": write_page,
}
NAMED = 2


def export_command(
    bank: Bank, kind: str, path: Path, topics: Sequence[str] | None, seed: int
) -> None:
    """Write the file.

    Raises:
        UsageError: it cannot be written, or a package that is needed is not installed.
    """
    sheets = make_sheets(bank, topics, seed)
    data, losses = WRITERS[kind](sheets)
    try:
        write_whole(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    say(f"{len(sheets)} questions in {path}, {len(data) / 1024:,.0f} kB, seed {seed}")
    for line in loss_report([*left_out(bank, topics), *losses]):
        say(line)


def loss_report(losses: Sequence[Loss]) -> list[str]:
    """What got lost, each thing once, with how many items it concerns and the first of them."""
    if not losses:
        return ["nothing got lost"]
    groups: dict[str, list[str]] = {}
    for loss in losses:
        groups.setdefault(loss.what, []).append(loss.item)
    ordered = sorted(groups, key=lambda what: (-len(groups[what]), what))
    return ["what got lost:", *(f"  {_named(groups[what])}: {what}" for what in ordered)]


def _named(items: Sequence[str]) -> str:
    count = "1 item" if len(items) == 1 else f"{len(items)} items"
    more = ", ..." if len(items) > NAMED else ""
    return f"{count} ({', '.join(items[:NAMED])}{more})"

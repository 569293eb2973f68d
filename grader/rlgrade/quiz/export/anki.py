"""A package for Anki: a note an item, a deck a topic. Needs genanki: `pip install rlgrade[anki]`.

A note keeps its identity by the item's id, and its time of change is counted from the item's `rev`:
importing the file of a later release updates the edited notes, and their schedules stay. The same
bank gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlgrade.outcome import UsageError
from rlgrade.quiz.choosing import kind_of
from rlgrade.quiz.export.markup import to_line
from rlgrade.quiz.export.sheets import (
    Choices,
    Essay,
    Gaps,
    Line,
    Loss,
    Number,
    Ordered,
    Pairs,
    Sheet,
)

if TYPE_CHECKING:
    import genanki

BEGIN = 1_767_225_600  # 1 January 2026; revisions count minutes from here
LAYOUT = 1  # grows with every change of how a note looks, so that old notes take it on
MOST_REVISIONS = 10_000
STYLE = """.card { font: 18px/1.45 system-ui, sans-serif; max-width: 44em; margin: auto; }
pre { overflow-x: auto; padding: .5em; border: 1px solid #8886; font-size: 15px; }
ol { padding-left: 1.6em; } li { margin: .3em 0; } .right { font-weight: 600; }"""


def write_anki(sheets: Sequence[Sheet]) -> tuple[bytes, list[Loss]]:
    """The package, and what got lost.

    Raises:
        UsageError: genanki is not installed.
    """
    try:
        import genanki
    except ImportError:
        raise UsageError(
            "this needs genanki; install it with: pip install 'rlgrade[anki]'"
        ) from None
    decks: dict[str, Any] = {}
    losses: list[Loss] = []
    model = _model(genanki)
    for sheet in sheets:
        quiz = sheet.entry.quiz
        if quiz.id not in decks:
            title = quiz.title.replace("::", ":")
            decks[quiz.id] = genanki.Deck(number(f"deck {quiz.id}"), f"rlgrade::{title}")
        decks[quiz.id].add_note(_note(genanki, model, sheet))
        losses += sheet.losing("nobody marks the answer; you do")
    return _package(genanki, list(decks.values())), losses


def number(name: str) -> int:
    """A number for a deck or a model, the same each time."""
    return 1 << 40 | int.from_bytes(hashlib.sha256(f"rlgrade {name}".encode()).digest()[:4])


def changed(rev: int) -> int:
    """When a note of this revision was changed, as Anki counts it."""
    return BEGIN + 60 * (LAYOUT * MOST_REVISIONS + rev)


def front(sheet: Sheet) -> str:
    """The question, with what there is to choose."""
    return sheet.asked + _given(sheet)


def back(sheet: Sheet) -> str:
    """The answer and every reason."""
    return _answer(sheet) + sheet.explained


def _model(genanki: Any) -> genanki.Model:
    return genanki.Model(
        number("model question"),
        "rlgrade question",
        fields=[{"name": "Item"}, {"name": "Question"}, {"name": "Answer"}],
        templates=[
            {
                "name": "Question",
                "qfmt": "{{Question}}",
                "afmt": "{{FrontSide}}<hr id=answer>{{Answer}}",
            }
        ],
        css=STYLE,
    )


def _note(genanki: Any, model: Any, sheet: Sheet) -> genanki.Note:
    class Note(genanki.Note):  # type: ignore[misc]
        """A note whose time of change is that of its item's revision."""

        def write_to_db(self, cursor: Any, timestamp: float, deck: int, numbers: Any) -> None:
            super().write_to_db(cursor, changed(sheet.item.rev), deck, numbers)

    return Note(
        model=model,
        fields=[sheet.item.id, front(sheet), back(sheet)],
        guid=genanki.guid_for("rlgrade", sheet.item.id),
        tags=["rlgrade", sheet.entry.quiz.id, kind_of(sheet.item), sheet.item.level],
    )


def _package(genanki: Any, decks: list[Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deck.apkg"
        genanki.Package(decks).write_to_file(str(path), timestamp=changed(0))
        return stable_zip(path.read_bytes())


def stable_zip(data: bytes) -> bytes:
    """The same archive with one fixed date in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()


def _given(sheet: Sheet) -> str:
    form = sheet.form
    match form:
        case Choices():
            return _list([choice.html for choice in form.choices])
        case Pairs():
            rights = sorted([right for _, right in form.pairs] + list(form.spare))
            lefts = [to_line(left) for left, _ in form.pairs]
            return _list(lefts, "1") + _list([to_line(right) for right in rights])
        case Ordered():
            return _list([to_line(text) for text in sorted([*form.blocks, *form.strangers])])
        case Gaps():
            return _list([_gap(gap.prompt, gap.form) for gap in form.gaps], "1")
    return ""


def _gap(prompt: str, form: object) -> str:
    choices = _list([c.html for c in form.choices]) if isinstance(form, Choices) else ""
    return to_line(prompt) + choices


def _answer(sheet: Sheet) -> str:
    form = sheet.form
    match form:
        case Choices():
            rows = [f"{'✓' if c.right else '✗'} {c.html}{c.why}" for c in form.choices]
            return _list(rows)
        case Number():
            slips = [f"{(low + high) / 2:.5g}: {why}" for low, high, why in form.slips]
            found = f"<p class=right>{form.value:.5g}{_unit(sheet)}</p>"
            return found + (_list(slips, "disc") if slips else "")
        case Pairs():
            return _list([f"{to_line(one)}: {to_line(other)}" for one, other in form.pairs], "disc")
        case Ordered():
            return _list([to_line(text) for text in form.blocks], "1")
        case Gaps():
            return _list([f"{to_line(gap.key)}{gap.why}" for gap in form.gaps], "1")
        case Line():
            return f"<pre>{escape(form.text, quote=False)}</pre>"
        case Essay():
            return form.grading
    raise AssertionError(form)


def _unit(sheet: Sheet) -> str:
    unit = getattr(sheet.item, "unit", "")
    return f" {escape(unit)}" if unit else ""


def _list(rows: Sequence[str], kind: str = "a") -> str:
    items = "".join(f"<li>{row}</li>" for row in rows)
    return f"<ul>{items}</ul>" if kind == "disc" else f'<ol type="{kind}">{items}</ol>'

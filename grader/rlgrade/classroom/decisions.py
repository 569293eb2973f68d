"""What people decide: overrides and comments. Rows are only ever added, with who and when."""

from __future__ import annotations

import getpass

from rlgrade.classroom.gradebook import Gradebook, now
from rlgrade.classroom.names import clean
from rlgrade.classroom.people import student_number


def override(
    book: Gradebook,
    who: str,
    exercise: str,
    points: float | None,
    *,
    by: str = "",
    reason: str = "",
) -> None:
    """Set a student's score of an exercise by hand; None takes the last override back."""
    _add(book, "overrides", who, exercise, by, {"points": points, "reason": clean(reason)})


def comment(book: Gradebook, who: str, exercise: str, text: str, *, by: str = "") -> None:
    """Say something to a student about an exercise; it stands in the feedback."""
    _add(book, "comments", who, exercise, by, {"text": clean(text)})


def _add(
    book: Gradebook, table: str, who: str, exercise: str, by: str, values: dict[str, object]
) -> None:
    rows = book.table(table)
    common = {"student": student_number(book, who), "exercise": exercise}
    common |= {"who": clean(by) or getpass.getuser(), "made_at": now()}
    with book.writing() as connection:
        connection.execute(rows.insert().values(**common, **values))

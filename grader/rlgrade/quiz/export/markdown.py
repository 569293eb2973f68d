"""All questions as one Markdown text, each with its answer folded away."""

from __future__ import annotations

from collections.abc import Sequence

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.choosing import kind_of
from rlgrade.quiz.export.sheets import Loss, Sheet


def write_markdown(sheets: Sequence[Sheet]) -> tuple[bytes, list[Loss]]:
    """The text, and what got lost."""
    parts = ["# Quizzes"]
    losses: list[Loss] = []
    topic = ""
    for sheet in sheets:
        if sheet.entry.quiz.id != topic:
            topic = sheet.entry.quiz.id
            parts.append(f"## {sheet.entry.quiz.title}")
        parts.append(_question(sheet))
        if isinstance(sheet.item, schema.Numeric):
            losses.append(Loss(sheet.item.id, "one variant of its numbers"))
    return ("\n\n".join(parts) + "\n").encode(), losses


def _question(sheet: Sheet) -> str:
    item, instance = sheet.item, sheet.instance
    about = f"### {item.id}\n\n*{kind_of(item)}, {item.level}, about {item.seconds} s*"
    situation = []
    if sheet.entry.case is not None:
        situation = [sheet.entry.case.stem.strip(), _fenced(sheet.entry.case.code)]
    asked = [instance.stem.strip(), _fenced(_code(item)), _given(sheet)]
    how = f"Answer: {presenting.how_to_answer(item)}."
    answer = (
        "<details>\n<summary>Answer</summary>\n\n"
        f"{_hard(presenting.solution(instance))}\n\n</details>"
    )
    return "\n\n".join(part for part in [about, *situation, *asked, how, answer] if part)


def _code(item: schema.Item) -> str:
    if isinstance(item, schema.Bug):
        return presenting.code(item)
    return item.code


def _given(sheet: Sheet) -> str:
    """What there is to choose from; that of a claim would give its verdict away."""
    whole = presenting.question(sheet.instance)
    head = [sheet.instance.stem.strip(), presenting.code(sheet.item)]
    rest = whole.removeprefix("\n\n".join(part for part in head if part)).strip("\n")
    return _hard(rest)


def _hard(text: str) -> str:
    """The text with the ends of its lines kept, and with lines of code between fences."""
    rows: list[str] = []
    inside = False
    for line in text.splitlines():
        deep = line.startswith("    ")
        if deep != inside:
            rows.append("```")
            inside = deep
        rows.append(line[4:] if deep else f"{line}  " if line.strip() else "")
    return "\n".join([*rows, "```"] if inside else rows).rstrip()


def _fenced(code: str) -> str:
    stripped = code.strip("\n")
    return f"```\n{stripped}\n```" if stripped.strip() else ""

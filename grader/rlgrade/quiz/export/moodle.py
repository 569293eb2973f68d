"""Moodle XML, for "Question bank: Import". Ordering questions need Moodle 4.4 or its plugin."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree as ET

from rlgrade.quiz import presenting
from rlgrade.quiz.choosing import kind_of
from rlgrade.quiz.export.markup import plain, to_line
from rlgrade.quiz.export.sheets import (
    Choices,
    Essay,
    Formula,
    Gap,
    Gaps,
    Line,
    Loss,
    Number,
    Ordered,
    Pairs,
    Sheet,
)

# Moodle refuses any other share of a mark than these, in either sign.
SHARES = (
    100, 90, 83.33333, 80, 75, 70, 66.66667, 60, 50, 40, 33.33333, 30, 25, 20,
    16.66667, 14.28571, 12.5, 11.11111, 10, 5,
)  # fmt: skip


def write_moodle(sheets: Sequence[Sheet]) -> tuple[bytes, list[Loss]]:
    """The file, and what got lost."""
    root = ET.Element("quiz")
    losses: list[Loss] = []
    topic = ""
    for sheet in sheets:
        if sheet.entry.quiz.id != topic:
            topic = sheet.entry.quiz.id
            _category(root, sheet.entry.quiz.title)
        losses += sheet.losing(*_question(root, sheet))
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n", losses


def share(part: float) -> float:
    """The share that Moodle accepts and that is nearest, in percent."""
    return min(SHARES, key=lambda allowed: abs(allowed - 100 * part))


def _category(root: ET.Element, title: str) -> None:
    question = ET.SubElement(root, "question", type="category")
    name = title.replace("/", "//")  # a single slash would begin a category inside
    _text(ET.SubElement(question, "category"), f"$course$/top/rlgrade/{name}")


def _question(root: ET.Element, sheet: Sheet) -> list[str]:
    form = sheet.form
    match form:
        case Choices():
            _choices(_begin(root, sheet, "multichoice"), form)
        case Number():
            return _number(_begin(root, sheet, "numerical"), form, sheet)
        case Pairs():
            _pairs(_begin(root, sheet, "matching"), form)
        case Ordered():
            _ordering(_begin(root, sheet, "ordering"), form)
            return ["blocks that belong nowhere are left out"] if form.strangers else []
        case Gaps():
            return _gaps(root, sheet, form)
        case Line():
            question = _begin(root, sheet, "shortanswer")
            _answer(question, form.text.replace("*", r"\*"), 100, "", "moodle_auto_format")
            ET.SubElement(question, "usecase").text = "1"
        case Essay():
            _essay(_begin(root, sheet, "essay"), form.grading)
            return ["a person marks it, with the rubric"]
    return []


def _begin(root: ET.Element, sheet: Sheet, kind: str, asked: str = "") -> ET.Element:
    question = ET.SubElement(root, "question", type=kind)
    _text(ET.SubElement(question, "name"), sheet.item.id)
    _html(question, "questiontext", asked or sheet.asked + _how(sheet))
    _html(question, "generalfeedback", sheet.explained)
    for name, value in [("defaultgrade", "1"), ("penalty", "0.3333333"), ("hidden", "0")]:
        ET.SubElement(question, name).text = value
    ET.SubElement(question, "idnumber").text = sheet.item.id
    tags = ET.SubElement(question, "tags")
    for tag in (kind_of(sheet.item), sheet.item.level, sheet.item.bloom):
        _text(ET.SubElement(tags, "tag"), tag)
    return question


def _how(sheet: Sheet) -> str:
    """What to type, where that is not plain to see."""
    if isinstance(sheet.form, Number) and presenting.unit(sheet.item):
        return f"<p>(Answer{escape(presenting.unit(sheet.item))}.)</p>"
    return ""


def _choices(question: ET.Element, form: Choices) -> None:
    ET.SubElement(question, "single").text = "false" if form.several else "true"
    ET.SubElement(question, "shuffleanswers").text = "1" if form.shuffled else "0"
    ET.SubElement(question, "answernumbering").text = "abc"
    rights = sum(choice.right for choice in form.choices)
    part = share(1 / rights)
    for choice in form.choices:
        wrong = -part if form.several else 0
        _answer(question, choice.html, part if choice.right else wrong, choice.why)


def _number(question: ET.Element, form: Number, sheet: Sheet) -> list[str]:
    ranges = [
        (form.low, form.high, 100, ""),
        *((low, high, 0, why) for low, high, why in form.slips),
    ]
    for low, high, part, why in ranges:
        middle = (low + high) / 2
        answer = _answer(question, f"{middle:.10g}", part, why, "moodle_auto_format")
        ET.SubElement(answer, "tolerance").text = f"{(high - low) / 2:.6g}"
    for name, value in [("unitgradingtype", "0"), ("unitpenalty", "0.1"), ("showunits", "3"),
                        ("unitsleft", "0")]:  # fmt: skip
        ET.SubElement(question, name).text = value
    middle = (form.low + form.high) / 2
    if abs(middle - form.value) > 1e-9 * max(1.0, abs(form.value)):
        return ["the answer shown is the middle of the accepted range"]
    return []


def _pairs(question: ET.Element, form: Pairs) -> None:
    ET.SubElement(question, "shuffleanswers").text = "true"
    for left, right in [*form.pairs, *(("", spare) for spare in form.spare)]:
        part = ET.SubElement(question, "subquestion", format="html")
        _text(part, to_line(left) if left else "")
        _text(ET.SubElement(part, "answer"), plain(right))


def _ordering(question: ET.Element, form: Ordered) -> None:
    for name, value in [
        ("layouttype", "VERTICAL"),
        ("selecttype", "ALL"),
        ("selectcount", "0"),
        ("gradingtype", "LONGEST_ORDERED_SUBSET"),
        ("showgrading", "SHOW"),
        ("numberingstyle", "none"),
    ]:
        ET.SubElement(question, name).text = value
    for number, text in enumerate(form.blocks, 1):
        answer = ET.SubElement(question, "answer", fraction=str(number), format="html")
        _text(answer, to_line(text))


def _gaps(root: ET.Element, sheet: Sheet, form: Gaps) -> list[str]:
    """A cloze question where every gap is a choice or a number; else a person marks it."""
    if any(isinstance(gap.form, Formula) for gap in form.gaps):
        steps = "".join(f"<li>{to_line(gap.prompt)}</li>" for gap in form.gaps)
        keys = "".join(f"<li>{to_line(gap.key)}{gap.why}</li>" for gap in form.gaps)
        asked = f"{sheet.asked}<ol>{steps}</ol>"
        _essay(_begin(root, sheet, "essay", asked), f"<ol>{keys}</ol>")
        return ["a formula cannot be compared, so a person marks it"]
    steps = "".join(f"<li>{to_line(gap.prompt)} {_cloze(gap)}</li>" for gap in form.gaps)
    _begin(root, sheet, "cloze", f"{sheet.asked}<ol>{steps}</ol>")
    return []


def _cloze(gap: Gap) -> str:
    if isinstance(gap.form, Number):
        return f"{{1:NUMERICAL:={gap.form.value:.10g}:{(gap.form.high - gap.form.low) / 2:.3g}}}"
    assert isinstance(gap.form, Choices)
    parts = [
        f"{'=' if choice.right else ''}{_escaped(choice.html)}#{_escaped(choice.why)}"
        for choice in gap.form.choices
    ]
    return "{1:MULTICHOICE_VS:" + "~".join(parts) + "}"


def _escaped(text: str) -> str:
    """A text inside a cloze's braces, where three signs mean something to Moodle."""
    return text.replace("}", "&rcub;").replace("#", "&num;").replace("~", "∼")


def _essay(question: ET.Element, grading: str) -> None:
    for name, value in [
        ("responseformat", "editor"),
        ("responserequired", "1"),
        ("responsefieldlines", "15"),
        ("attachments", "0"),
        ("attachmentsrequired", "0"),
    ]:
        ET.SubElement(question, name).text = value
    _html(question, "graderinfo", grading)
    _html(question, "responsetemplate", "")


def _answer(
    question: ET.Element, text: str, part: float, why: str, kind: str = "html"
) -> ET.Element:
    fraction = f"{part:g}" if part % 1 == 0 else f"{part:.5f}"
    answer = ET.SubElement(question, "answer", fraction=fraction, format=kind)
    _text(answer, text)
    _html(answer, "feedback", why)
    return answer


def _html(parent: ET.Element, name: str, text: str) -> None:
    _text(ET.SubElement(parent, name, format="html"), text)


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "text").text = text

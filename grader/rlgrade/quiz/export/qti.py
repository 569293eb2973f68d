"""A QTI 1.2 package as Canvas reads it: one quiz a topic. The same bank gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree as ET

from rlgrade.quiz import presenting
from rlgrade.quiz.export.markup import plain, to_line
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

QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
CANVAS = "http://canvas.instructure.com/xsd/cccv1p0"
PACKAGE = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
METADATA = "http://www.imsglobal.org/xsd/imsmd_v1p2"
DIGITS = 4  # Canvas keeps so many after the point


def write_qti(sheets: Sequence[Sheet]) -> tuple[bytes, list[Loss]]:
    """The zip, and what got lost."""
    topics: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        topics.setdefault(sheet.entry.quiz.id, []).append(sheet)
    files: dict[str, ET.Element] = {"imsmanifest.xml": _manifest(list(topics))}
    losses: list[Loss] = []
    for topic, mine in topics.items():
        ident = name_of("assessment", topic)
        files[f"{ident}/assessment_meta.xml"] = _meta(topic, mine)
        files[f"{ident}/{ident}.xml"] = _assessment(topic, mine, losses)
    return _zip(files), losses


def name_of(kind: str, name: str) -> str:
    """An identifier that is the same each time and that XML accepts."""
    return f"rlgrade_{kind}_{hashlib.sha256(f'{kind} {name}'.encode()).hexdigest()[:24]}"


def _zip(files: dict[str, ET.Element]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, root in files.items():
            ET.indent(root)
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
            archive.writestr(info, text + b"\n")
    return out.getvalue()


def _manifest(topics: Sequence[str]) -> ET.Element:
    root = ET.Element(
        "manifest",
        {
            "identifier": name_of("manifest", " ".join(topics)),
            "xmlns": PACKAGE,
            "xmlns:imsmd": METADATA,
        },
    )
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "schema").text = "IMS Content"
    ET.SubElement(metadata, "schemaversion").text = "1.1.3"
    title = ET.SubElement(
        ET.SubElement(ET.SubElement(metadata, "imsmd:lom"), "imsmd:general"), "imsmd:title"
    )
    ET.SubElement(title, "imsmd:string").text = "rlgrade quizzes"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    for topic in topics:
        ident, meta = name_of("assessment", topic), name_of("meta", topic)
        one = ET.SubElement(resources, "resource", identifier=ident, type="imsqti_xmlv1p2")
        ET.SubElement(one, "file", href=f"{ident}/{ident}.xml")
        ET.SubElement(one, "dependency", identifierref=meta)
        kind = "associatedcontent/imscc_xmlv1p1/learning-application-resource"
        href = f"{ident}/assessment_meta.xml"
        other = ET.SubElement(resources, "resource", identifier=meta, type=kind, href=href)
        ET.SubElement(other, "file", href=href)
    return root


def _meta(topic: str, sheets: Sequence[Sheet]) -> ET.Element:
    root = ET.Element("quiz", {"identifier": name_of("assessment", topic), "xmlns": CANVAS})
    for name, value in [
        ("title", sheets[0].entry.quiz.title),
        ("description", ""),
        ("shuffle_answers", "false"),
        ("scoring_policy", "keep_highest"),
        ("quiz_type", "practice_quiz"),
        ("points_possible", f"{len(sheets)}.0"),
        ("show_correct_answers", "true"),
        ("allowed_attempts", "-1"),
        ("available", "false"),
    ]:
        ET.SubElement(root, name).text = value
    return root


def _assessment(topic: str, sheets: Sequence[Sheet], losses: list[Loss]) -> ET.Element:
    root = ET.Element("questestinterop", {"xmlns": QTI})
    assessment = ET.SubElement(
        root, "assessment", ident=name_of("assessment", topic), title=sheets[0].entry.quiz.title
    )
    _fields(assessment, {"cc_maxattempts": "unlimited"})
    section = ET.SubElement(assessment, "section", ident="root_section")
    for sheet in sheets:
        losses += sheet.losing(*_item(section, sheet))
    return root


def _fields(parent: ET.Element, values: dict[str, str]) -> None:
    metadata = ET.SubElement(parent, "qtimetadata")
    for label, entry in values.items():
        field = ET.SubElement(metadata, "qtimetadatafield")
        ET.SubElement(field, "fieldlabel").text = label
        ET.SubElement(field, "fieldentry").text = entry


def _item(section: ET.Element, sheet: Sheet) -> list[str]:
    """Add one question; what got lost of it."""
    form = sheet.form
    match form:
        case Choices():
            kind = "multiple_answers_question" if form.several else "multiple_choice_question"
            Writer(section, sheet, kind).choices(form)
        case Number() if not _fits(form):
            Writer(section, sheet, "essay_question").essay()
            return [
                f"Canvas keeps {DIGITS} digits after the point, too few here: a person marks it"
            ]
        case Number():
            Writer(section, sheet, "numerical_question").number(form)
            return ["known wrong numbers get no message of their own"] if form.slips else []
        case Pairs():
            Writer(section, sheet, "matching_question").pairs(form.pairs, form.spare)
        case Ordered():
            places = tuple((f"place {n}", text) for n, text in enumerate(form.blocks, 1))
            Writer(section, sheet, "matching_question").pairs(places, form.strangers)
            return ["an order becomes a matching of places and blocks"]
        case Gaps() if all(isinstance(gap.form, Choices) for gap in form.gaps):
            Writer(section, sheet, "multiple_dropdowns_question", _dropdowns(sheet, form)).gaps(
                form
            )
        case Gaps():
            rows = "".join(f"<li>{to_line(gap.prompt)}</li>" for gap in form.gaps)
            Writer(section, sheet, "essay_question", f"{sheet.asked}<ol>{rows}</ol>").essay()
            return ["a formula cannot be compared, so a person marks it"]
        case Line():
            Writer(section, sheet, "short_answer_question").line(form)
        case Essay():
            Writer(section, sheet, "essay_question").essay()
            return ["a person marks it; the rubric is shown as feedback"]
    return []


def _fits(form: Number) -> bool:
    """Whether a range survives rounding to what Canvas keeps."""
    return round(form.high, DIGITS) - round(form.low, DIGITS) >= 0.5 * (form.high - form.low) > 0


def _dropdowns(sheet: Sheet, form: Gaps) -> str:
    rows = [f"<li>{to_line(gap.prompt)} [step{n}]</li>" for n, gap in enumerate(form.gaps, 1)]
    return f"{sheet.asked}<ol>{''.join(rows)}</ol>"


class Writer:
    """One item under way: what is presented, then how it is marked, then what is said."""

    def __init__(self, section: ET.Element, sheet: Sheet, kind: str, asked: str = "") -> None:
        self.sheet = sheet
        self.name = name_of("item", sheet.item.id)
        self.item = ET.SubElement(section, "item", ident=self.name, title=sheet.item.id)
        _fields(
            ET.SubElement(self.item, "itemmetadata"),
            {
                "question_type": kind,
                "points_possible": "1",
                "assessment_question_identifierref": name_of("question", sheet.item.id),
            },
        )
        self.presentation = ET.SubElement(self.item, "presentation")
        unit = presenting.unit(sheet.item)
        more = f"<p>(Answer{escape(unit)}.)</p>" if unit else ""
        _material(self.presentation, (asked or sheet.asked) + more)
        self.processing = ET.SubElement(self.item, "resprocessing")
        outcomes = ET.SubElement(self.processing, "outcomes")
        ET.SubElement(
            outcomes, "decvar", maxvalue="100", minvalue="0", varname="SCORE", vartype="Decimal"
        )
        self._say("general_fb", None)
        self.feedback = {"general_fb": sheet.explained}

    def choices(self, form: Choices) -> None:
        """One right choice, or several; every choice with its reason."""
        labels = [name_of("choice", f"{self.sheet.item.id} {n}") for n in range(len(form.choices))]
        several = form.several
        lid = ET.SubElement(
            self.presentation,
            "response_lid",
            ident="response1",
            rcardinality="Multiple" if several else "Single",
        )
        self._render(lid, [(label, c.html) for label, c in zip(labels, form.choices, strict=True)])
        for label, choice in zip(labels, form.choices, strict=True):
            self._say(f"{label}_fb", ("response1", label))
            self.feedback[f"{label}_fb"] = choice.why
        condition = self._scores("100")
        both = ET.SubElement(condition, "and") if several else condition
        for label, choice in zip(labels, form.choices, strict=True):
            if choice.right:
                ET.SubElement(both, "varequal", respident="response1").text = label
            elif several:
                none = ET.SubElement(both, "not")
                ET.SubElement(none, "varequal", respident="response1").text = label
        self._end()

    def number(self, form: Number) -> None:
        """A number inside its range."""
        self._blank(decimal=True)
        condition = ET.SubElement(self._scores("100"), "or")
        ET.SubElement(
            condition, "varequal", respident="response1"
        ).text = f"{form.value:.{DIGITS}f}"
        both = ET.SubElement(condition, "and")
        ET.SubElement(both, "vargte", respident="response1").text = f"{form.low:.{DIGITS}f}"
        ET.SubElement(both, "varlte", respident="response1").text = f"{form.high:.{DIGITS}f}"
        self._end()

    def line(self, form: Line) -> None:
        """A line that is typed."""
        self._blank(decimal=False)
        ET.SubElement(self._scores("100"), "varequal", respident="response1").text = form.text
        self._end()

    def essay(self) -> None:
        """A free answer; the key, or the rubric, is the feedback."""
        self._blank(decimal=False)
        form = self.sheet.form
        if isinstance(form, Essay):
            grading = form.grading
        elif isinstance(form, Gaps):
            keys = "".join(f"<li>{to_line(gap.key)}{gap.why}</li>" for gap in form.gaps)
            grading = f"<ol>{keys}</ol>"
        else:
            grading = f"<p>{escape(presenting.key(self.sheet.instance))}</p>"
        self.feedback["general_fb"] = grading + self.sheet.explained
        self._end()

    def pairs(self, pairs: Sequence[tuple[str, str]], spare: Sequence[str]) -> None:
        """Left-hand sides, each with all right-hand sides to choose from."""
        texts = sorted({right for _, right in pairs} | set(spare))
        labels = {text: name_of("right", f"{self.sheet.item.id} {text}") for text in texts}
        for n, (left, right) in enumerate(pairs, 1):
            lid = ET.SubElement(self.presentation, "response_lid", ident=f"response_{n}")
            _material(lid, to_line(left))
            self._render(lid, [(labels[text], plain(text)) for text in texts], "text/plain")
            condition = self._scores(f"{100 / len(pairs):.2f}", add=True)
            ET.SubElement(condition, "varequal", respident=f"response_{n}").text = labels[right]
        self._end()

    def gaps(self, form: Gaps) -> None:
        """A choice for each step."""
        for n, gap in enumerate(form.gaps, 1):
            assert isinstance(gap.form, Choices)
            lid = ET.SubElement(self.presentation, "response_lid", ident=f"response_step{n}")
            _material(lid, f"step{n}", "text/plain")
            names = [
                name_of("gap", f"{self.sheet.item.id} {n} {m}")
                for m in range(len(gap.form.choices))
            ]
            rows = list(zip(names, gap.form.choices, strict=True))
            self._render(
                lid, [(name, plain_html(choice.html)) for name, choice in rows], "text/plain"
            )
            condition = self._scores(f"{100 / len(form.gaps):.2f}", add=True)
            right = next(name for name, choice in rows if choice.right)
            ET.SubElement(condition, "varequal", respident=f"response_step{n}").text = right
        self._end()

    def _blank(self, *, decimal: bool) -> None:
        response = ET.SubElement(
            self.presentation, "response_str", ident="response1", rcardinality="Single"
        )
        render = ET.SubElement(response, "render_fib", {"fibtype": "Decimal"} if decimal else {})
        ET.SubElement(render, "response_label", ident="answer1", rshuffle="No")

    def _render(
        self, lid: ET.Element, labels: Sequence[tuple[str, str]], kind: str = "text/html"
    ) -> None:
        render = ET.SubElement(lid, "render_choice")
        for ident, text in labels:
            _material(ET.SubElement(render, "response_label", ident=ident), text, kind)

    def _say(self, feedback: str, when: tuple[str, str] | None) -> None:
        condition = ET.SubElement(self.processing, "respcondition", {"continue": "Yes"})
        variable = ET.SubElement(condition, "conditionvar")
        if when is None:
            ET.SubElement(variable, "other")
        else:
            ET.SubElement(variable, "varequal", respident=when[0]).text = when[1]
        ET.SubElement(condition, "displayfeedback", feedbacktype="Response", linkrefid=feedback)

    def _scores(self, points: str, *, add: bool = False) -> ET.Element:
        going = "Yes" if add else "No"
        condition = ET.SubElement(self.processing, "respcondition", {"continue": going})
        variable = ET.SubElement(condition, "conditionvar")
        action = "Add" if add else "Set"
        ET.SubElement(condition, "setvar", action=action, varname="SCORE").text = points
        return variable

    def _end(self) -> None:
        for ident, text in self.feedback.items():
            feedback = ET.SubElement(self.item, "itemfeedback", ident=ident)
            _material(ET.SubElement(feedback, "flow_mat"), text)


def plain_html(html: str) -> str:
    """The text of a piece of HTML."""
    import re
    from html import unescape

    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


def _material(parent: ET.Element, text: str, kind: str = "text/html") -> None:
    material = ET.SubElement(parent, "material")
    ET.SubElement(material, "mattext", texttype=kind).text = text

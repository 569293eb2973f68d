"""Every item as one of the few forms that other programs know, and what that costs it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rlgrade.quiz import marking, presenting, schema
from rlgrade.quiz.arithmetic import parse, value
from rlgrade.quiz.bank import Bank, Entry
from rlgrade.quiz.choosing import runs_here
from rlgrade.quiz.drawing import Draws, Instance, draw, fill
from rlgrade.quiz.export.markup import code, to_html, to_line
from rlgrade.quiz.snippets import printed


@dataclass(frozen=True)
class Loss:
    """What an export could not say of an item."""

    item: str
    what: str


@dataclass(frozen=True)
class Choice:
    """Something to choose, as HTML, and why it is right or wrong."""

    html: str
    right: bool
    why: str


@dataclass(frozen=True)
class Choices:
    """One right choice, or several."""

    choices: tuple[Choice, ...]
    several: bool = False
    shuffled: bool = True


@dataclass(frozen=True)
class Number:
    """A number between two bounds; `slips` are wrong ranges with the reason for each."""

    value: float
    low: float
    high: float
    slips: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True)
class Pairs:
    """What belongs together (plain text), and right-hand sides that belong to nothing."""

    pairs: tuple[tuple[str, str], ...]
    spare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ordered:
    """Blocks in their order (plain text), and blocks that belong nowhere."""

    blocks: tuple[str, ...]
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Formula:
    """An expression, by its values at some points; few programs can compare one."""

    points: tuple[dict[str, float], ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Gap:
    """One step of a derivation."""

    prompt: str
    form: Choices | Number | Formula
    key: str
    why: str


@dataclass(frozen=True)
class Gaps:
    """The steps of a derivation."""

    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Line:
    """One line of text, to be typed exactly."""

    text: str


@dataclass(frozen=True)
class Essay:
    """A free answer; `grading` is HTML for whoever marks it."""

    grading: str


Form = Choices | Number | Pairs | Ordered | Gaps | Line | Essay


@dataclass(frozen=True)
class Sheet:
    """One question to export: what is asked and explained as HTML, its form, and what got lost."""

    entry: Entry
    instance: Instance
    asked: str
    explained: str
    form: Form
    losses: tuple[str, ...] = ()

    @property
    def item(self) -> schema.Item:
        """The item."""
        return self.entry.item

    def losing(self, *more: str) -> list[Loss]:
        """What got lost of it, with what a format adds."""
        return [Loss(self.item.id, what) for what in (*self.losses, *more)]


def make_sheets(bank: Bank, topics: Sequence[str] | None, seed: int) -> list[Sheet]:
    """The sheets of the reviewed items; the questions of a case each with its situation."""
    return [
        _sheet(entry, draw(entry.item, seed, bank.functions))
        for entry in bank.entries(topics=topics, inner=True)
        if not isinstance(entry.item, schema.Case) and runs_here(entry.item)
    ]


def left_out(bank: Bank, topics: Sequence[str] | None) -> list[Loss]:
    """The items whose key cannot be computed on this machine."""
    entries = bank.entries(topics=topics, inner=True)
    without = [entry.item.id for entry in entries if not runs_here(entry.item)]
    return [Loss(item, "it is left out: its key needs torch, which is missing") for item in without]


def _sheet(entry: Entry, instance: Instance) -> Sheet:
    item = instance.item
    shown_code = presenting.code(item) if isinstance(item, schema.Bug) else item.code
    parts = []
    if entry.case is not None:
        parts += [to_html(entry.case.stem), code(entry.case.code)]
    parts += [to_html(instance.stem), code(shown_code)]
    form, losses = _form(instance)
    dated = f" (as of {item.as_of})" if item.as_of else ""
    sources = to_html(f"Sources: {'; '.join(item.sources)}{dated}")
    explained = to_html(instance.explain) + sources
    if entry.case is not None:
        losses = (*losses, "a case becomes questions that each repeat its situation")
    return Sheet(entry, instance, "".join(parts), explained, form, losses)


def _form(instance: Instance) -> tuple[Form, tuple[str, ...]]:
    item = instance.item
    match item:
        case schema.Single() | schema.Multi():
            choices = tuple(_choice(option) for option in instance.options)
            fixed = isinstance(item, schema.Single) and item.order == "fixed"
            return Choices(choices, isinstance(item, schema.Multi), not fixed), ()
        case schema.Claim():
            return _claim(instance, item)
        case schema.Bug():
            fixes = tuple(
                Choice(code(fix.text), fix.correct, to_html(fix.why)) for fix in instance.options
            )
            return Choices(fixes), ("the faulty lines are not asked for, only the fix",)
        case schema.Predict():
            return _predict(item)
        case schema.Numeric():
            return _numeric(instance, item), ("one variant of its numbers",)
        case schema.Estimate():
            low, high = sorted((instance.value / item.factor, instance.value * item.factor))
            return Number(instance.value, low, high), ()
        case schema.Match():
            pairs = tuple((pair.left, pair.right) for pair in item.pairs)
            return Pairs(pairs, tuple(block.text for block in item.spare)), ()
        case schema.Order():
            blocks = tuple(block.text for block in item.blocks)
            return Ordered(blocks, tuple(block.text for block in item.distractors)), ()
        case schema.Derive():
            return Gaps(tuple(_gap(instance, n) for n in range(len(instance.blanks)))), ()
    assert isinstance(item, schema.Open)
    return Essay(_grading(item)), ("follow-ups are listed, not chosen by what was missed",)


def _choice(option: schema.Option | schema.Fix) -> Choice:
    return Choice(to_line(option.text), option.correct, to_html(option.why))


def _claim(instance: Instance, item: schema.Claim) -> tuple[Form, tuple[str, ...]]:
    why = to_html(item.explain)
    choices = [
        Choice("True", item.verdict == "true", why),
        Choice("False", item.verdict == "false", why),
    ]
    conditional = item.verdict == "conditional"
    for option in instance.options:
        right = conditional and option.correct
        text = f"True only if: {to_line(option.text)}"
        choices.append(Choice(text, right, to_html(option.why)))
    losses = ("its conditions are shown with the question",) if instance.options else ()
    return Choices(tuple(choices), shuffled=False), losses


def _predict(item: schema.Predict) -> tuple[Form, tuple[str, ...]]:
    output = printed(item.code).rstrip()
    if item.wrong:
        right = Choice(code(output), True, to_html(item.explain))
        wrong = [Choice(code(w.output), False, to_html(w.why)) for w in item.wrong]
        choices = sorted([right, *wrong], key=lambda choice: choice.html)
        return Choices(tuple(choices)), ("the output is chosen, not typed",)
    if "\n" not in output:
        return Line(output), ("rounded numbers are not accepted",)
    return Essay(code(output)), ("an output of several lines is marked by a person",)


def _numeric(instance: Instance, item: schema.Numeric) -> Number:
    def around(number: float) -> tuple[float, float]:
        half = item.abs + item.rel * abs(number)
        return number - half, number + half

    slips = tuple(
        (*around(number), to_html(fill(wrong.why, instance.parameters)))
        for number, wrong in instance.wrong
        if math.isfinite(number)
    )
    return Number(instance.value, *around(instance.value), slips)


def _gap(instance: Instance, n: int) -> Gap:
    blank = instance.blanks[n]
    why = to_html(blank.why)
    if blank.options:
        choices = Choices(tuple(_choice(option) for option in blank.options))
        key = next(option.text for option in blank.options if option.correct)
        return Gap(blank.prompt, choices, key, why)
    prompt = f"{blank.prompt}{presenting.names(blank)}"
    if blank.variables:
        return Gap(prompt, _formula(instance, n), blank.expression, why)
    number = value(parse(blank.expression), {})
    half = 1e-3 * max(1e-3, abs(number))
    return Gap(prompt, Number(number, number - half, number + half), blank.expression, why)


def _formula(instance: Instance, n: int) -> Formula:
    """The values at the points at which a terminal compares, too."""
    blank = instance.blanks[n]
    tree = parse(blank.expression, blank.variables)
    points = marking.points(blank, Draws(instance.item, 0).source(f"points {n}"))
    found = [(point, value(tree, point)) for point in points]
    finite = [(point, number) for point, number in found if math.isfinite(number)]
    return Formula(tuple(point for point, _ in finite), tuple(number for _, number in finite))


def _grading(item: schema.Open) -> str:
    return "".join(_grading_parts(item))


def _grading_parts(item: schema.Open) -> Iterator[str]:
    def listed(rows: Sequence[str]) -> str:
        return "<ul>" + "".join(f"<li>{row}</li>" for row in rows) + "</ul>"

    yield to_html(item.model_answer.short)
    yield "<p><strong>Rubric</strong></p>" + listed(
        [
            f"{to_line(point.point)} ({point.weight}{', must' if point.must else ''})"
            for point in item.rubric
        ]
    )
    if item.red_flags:
        yield "<p><strong>Red flags</strong></p>" + listed(
            [f"{to_line(flag.text)}: {to_line(flag.why)}" for flag in item.red_flags]
        )
    yield "<p><strong>Follow-ups</strong></p>" + listed(
        [f"{to_line(each.ask)} ({to_line('; '.join(each.expects))})" for each in item.follow_ups]
    )
    yield "<p><strong>With everything</strong></p>" + to_html(item.model_answer.long)

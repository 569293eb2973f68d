"""An answer becomes a mark, and a sentence that says what went wrong where that is known.

    marked = mark(instance, "0.35")
    marked.right, marked.score, marked.message, marked.misconceptions

Answers are text, as `answers.py` lists; a case takes one for each question.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rlgrade.quiz import answers, schema
from rlgrade.quiz.answers import AnswerError
from rlgrade.quiz.arithmetic import ArithmeticProblem, parse, value
from rlgrade.quiz.comparing import common_subsequence, same_output
from rlgrade.quiz.drawing import Draws, Instance, fill
from rlgrade.quiz.snippets import printed

POINTS = 20
AGREES = 1e-6
ENOUGH = 0.7  # of an open question's weight, with every must


@dataclass(frozen=True)
class Marked:
    """What an answer is worth, from 0 to 1, and what to tell the learner at once.

    message: what is known of a wrong answer; it never gives the key away. misconceptions: the
    beliefs that it shows. parts: those of the blanks of a derivation or the questions of a case.
    """

    score: float
    right: bool
    message: str = ""
    misconceptions: tuple[str, ...] = ()
    parts: tuple[Marked, ...] = ()


def mark(instance: Instance, answer: str | Sequence[str]) -> Marked:
    """The mark for an answer to a drawn question.

    Raises:
        AnswerError: it cannot be read; nothing is lost, ask again.
    """
    if isinstance(instance.item, schema.Case):
        return _case(instance, answer)
    if not isinstance(answer, str):
        raise AnswerError("type one answer")
    return KINDS[type(instance.item)](instance, answer)


def mark_open(item: schema.Open, got: Sequence[str], red_flags: Sequence[int] = ()) -> Marked:
    """The mark that somebody gives themselves: the points that the answer had.

    got: ids of rubric points. red_flags: indexes of the red flags that the answer raised. It is
    right with every must, no red flag, and 70 % of the weight.
    """
    unknown = set(got) - {point.id for point in item.rubric}
    if unknown:
        raise AnswerError(f"the rubric has no point {sorted(unknown)[0]!r}")
    total = sum(point.weight for point in item.rubric)
    score = sum(point.weight for point in item.rubric if point.id in got) / total
    missed = [point.point for point in item.rubric if point.must and point.id not in got]
    flags = [f"{item.red_flags[n].text}: {item.red_flags[n].why}" for n in red_flags]
    said = [f"a good answer must say: {point}" for point in missed]
    said += [f"a good answer never says: {flag}" for flag in flags]
    return Marked(score, not said and score >= ENOUGH, "\n".join(said))


def within(key: float, number: float, item: schema.Numeric) -> bool:
    """Whether a number is right: |number - key| <= abs + rel * |key|."""
    return abs(number - key) <= item.abs + item.rel * abs(key)


def mark_blank(instance: Instance, index: int, answer: str) -> Marked:
    """The mark for one step of a derivation, so that each can be told before the next."""
    blank = instance.blanks[index]
    if blank.options:
        return _chosen(blank.options[answers.letter(answer, len(blank.options))])
    try:
        typed = parse(answer, blank.variables)
    except ArithmeticProblem as error:
        raise AnswerError(str(error)) from None
    right = parse(blank.expression, blank.variables)
    for point in points(blank, Draws(instance.item, 0).source(f"points {index}")):
        want, have = value(right, point), value(typed, point)
        if math.isfinite(want) and not abs(have - want) <= AGREES * (1e-3 + abs(want)):
            where = ", ".join(f"{name} = {number:.4g}" for name, number in point.items())
            return _wrong(f"at {where or 'every point'} your expression is {have:.4g}")
    return RIGHT


def points(blank: schema.Blank, source: random.Random) -> list[dict[str, float]]:
    """Random values of a blank's variables, at which expressions are compared."""
    return [
        {
            name: low + (high - low) * source.random()
            for name, (low, high) in sorted(blank.variables.items())
        }
        for _ in range(POINTS)
    ]


RIGHT = Marked(1.0, True)


def _wrong(message: str = "", misconception: str | None = None, score: float = 0.0) -> Marked:
    return Marked(score, False, message, (misconception,) if misconception else ())


def _chosen(option: schema.Option | schema.Fix) -> Marked:
    return RIGHT if option.correct else _wrong(option.why, option.misconception)


def _single(instance: Instance, answer: str) -> Marked:
    return _chosen(instance.options[answers.letter(answer, len(instance.options))])


def _multi(instance: Instance, answer: str) -> Marked:
    chosen = [instance.options[n] for n in answers.letters(answer, len(instance.options))]
    keys = sum(option.correct for option in instance.options)
    hits = sum(option.correct for option in chosen)
    alarms = len(chosen) - hits
    beliefs = tuple(o.misconception for o in chosen if not o.correct and o.misconception)
    score = max(0.0, (hits - alarms) / keys)
    right = hits == keys and not alarms
    message = "" if right else f"{hits} of your {len(chosen)} choices are right"
    return Marked(score, right, message, beliefs)


def _numeric(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Numeric)
    number = answers.quantity(answer, item.unit)
    if within(instance.value, number, item):
        return RIGHT
    for slip, wrong in instance.wrong:
        if within(slip, number, item):
            return _wrong(fill(wrong.why, instance.parameters), wrong.misconception)
    return _wrong(_nearly(instance.value, number, item))


def _nearly(key: float, number: float, item: schema.Numeric) -> str:
    """What is said of a number that no known slip explains."""
    if within(key, -number, item):
        return "the size is right and the sign is not"
    if item.unit.startswith("%") and within(key, 100 * number, item):
        return "the answer is wanted in percent: 100 times as much"
    wide = item.abs + 10 * item.rel * abs(key)
    if abs(number - key) <= wide:
        return "it is close, but not within the tolerance; keep more digits on the way"
    return ""


def _estimate(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Estimate)
    number = answers.quantity(answer, item.unit)
    if number <= 0:
        raise AnswerError("type a positive number")
    off = number / instance.value
    if max(off, 1 / off) <= item.factor * (1 + 1e-9):
        return RIGHT
    size = max(off, 1 / off)
    return _wrong(f"it is too {'large' if off > 1 else 'small'} by a factor of {size:.2g}")


def _order(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Order)
    typed = answers.letters(answer, len(instance.blocks))
    if len(typed) < 2:
        raise answers.AnswerError("type the letters of all blocks that belong, in order")
    given = [instance.blocks[n].text for n in typed]
    wanted = [block.text for block in item.blocks]
    if given == wanted:
        return RIGHT
    score = common_subsequence(wanted, given) / max(len(wanted), len(given))
    return _wrong(_first_wrong_step(item, given, wanted), score=score)


def _first_wrong_step(item: schema.Order, given: list[str], wanted: list[str]) -> str:
    strangers = {block.text: block.why for block in item.distractors}
    for text in given:
        if text in strangers:
            return strangers[text] or "one of your blocks belongs nowhere"
    same = 0
    while same < min(len(given), len(wanted)) and given[same] == wanted[same]:
        same += 1
    if same == len(given):
        return "a block is missing at the end"
    return f"the first {same} are right; look at number {same + 1}" if same else "the first is not"


def _match(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Match)
    typed = answers.matching(answer, len(item.pairs), len(instance.blocks))
    hits = [
        instance.blocks[choice].text == pair.right
        for pair, choice in zip(item.pairs, typed, strict=True)
    ]
    if all(hits):
        return RIGHT
    said = f"{sum(hits)} of {len(hits)} pairs are right"
    return _wrong(said, score=sum(hits) / len(hits))


def _predict(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Predict)
    if not answer.strip():
        raise AnswerError("type what the code prints, line by line")
    if same_output(printed(item.code), answer):
        return RIGHT
    for wrong in item.wrong:
        if same_output(wrong.output, answer):
            return _wrong(wrong.why, wrong.misconception)
    return _wrong()


def _bug(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Bug)
    count = len(item.code.rstrip("\n").splitlines())
    lines, chosen = answers.lines_and_fix(answer, count, len(instance.options))
    fix = instance.options[chosen]
    wanted, given = set(item.buggy_lines), set(lines)
    place = len(wanted & given) / len(wanted | given)
    if place == 1 and fix.correct:
        return RIGHT
    said = "" if place == 1 else "the fault is not in exactly these lines"
    said = said if fix.correct else "; ".join(filter(None, (said, fix.why)))
    belief = None if fix.correct else fix.misconception
    return _wrong(said, belief, 0.5 * place + 0.5 * fix.correct)


def _claim(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Claim)
    said, condition = answers.verdict(answer, len(instance.options))
    if said != item.verdict:
        return _wrong("there is a case that decides it; look for one")
    if item.verdict != "conditional":
        return RIGHT
    if condition is None:
        return _wrong("that is the verdict; now say under which condition", score=0.5)
    option = instance.options[condition]
    return RIGHT if option.correct else _wrong(option.why, option.misconception, 0.5)


def _derive(instance: Instance, answer: str) -> Marked:
    typed = answers.parts(answer, len(instance.blanks))
    marked = tuple(mark_blank(instance, n, text) for n, text in enumerate(typed))
    said = [f"step {n + 1}: {part.message}" for n, part in enumerate(marked) if not part.right]
    return _together(marked, "\n".join(said))


def _open(instance: Instance, answer: str) -> Marked:
    item = instance.item
    assert isinstance(item, schema.Open)
    chosen = answers.letters(answer, len(item.rubric)) if answer.strip() else []
    return mark_open(item, [item.rubric[n].id for n in chosen])


def _case(instance: Instance, answer: str | Sequence[str]) -> Marked:
    if isinstance(answer, str) or len(answer) != len(instance.children):
        raise AnswerError(f"a case takes {len(instance.children)} answers, one a question")
    pairs = zip(instance.children, answer, strict=True)
    return _together(tuple(mark(child, text) for child, text in pairs), "")


def _together(marked: tuple[Marked, ...], message: str) -> Marked:
    beliefs = tuple(name for part in marked for name in part.misconceptions)
    score = sum(part.score for part in marked) / len(marked)
    return Marked(score, all(part.right for part in marked), message, beliefs, marked)


KINDS: dict[type, Callable[[Any, str], Marked]] = {
    schema.Single: _single,
    schema.Multi: _multi,
    schema.Numeric: _numeric,
    schema.Order: _order,
    schema.Match: _match,
    schema.Predict: _predict,
    schema.Bug: _bug,
    schema.Claim: _claim,
    schema.Estimate: _estimate,
    schema.Derive: _derive,
    schema.Open: _open,
}

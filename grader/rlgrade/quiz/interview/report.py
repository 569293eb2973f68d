"""The report of an interview, as Markdown: ticks added up, nothing guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from rlgrade.quiz import presenting, schema
from rlgrade.quiz.interview.conduct import Asked, clock_time
from rlgrade.quiz.interview.plan import Plan
from rlgrade.quiz.links import offer

DIMENSIONS: tuple[schema.Dimension, ...] = get_args(schema.Dimension)
KEYED: dict[type, schema.Dimension] = {
    schema.Derive: "derivation",
    schema.Order: "derivation",
    schema.Bug: "diagnosis",
    schema.Predict: "diagnosis",
    schema.Case: "diagnosis",
}
OUR_OWN = ("computed", "constructed", "exercise")  # sources that cannot be read up


@dataclass(frozen=True)
class Frame:
    """What an interview was: when, how long, and the command that repeats it."""

    at: datetime
    level: str
    topics: str
    command: str
    minutes: int
    used: float
    plan: Plan
    finished: bool


@dataclass
class Points:
    """What was made of what there was."""

    made: float = 0
    of: float = 0


def write_report(frame: Frame, done: Sequence[Asked]) -> str:
    """The whole report."""
    parts = [
        _head(frame, done),
        _points(done),
        _musts(done),
        _flags(done),
        _study(done),
        _exercises(done),
        *(_question(number, asked) for number, asked in enumerate(done, 1)),
        _not_asked(frame, done),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def points_by_dimension(done: Sequence[Asked]) -> dict[schema.Dimension, Points]:
    """The weights that were ticked, of all that were there; a question with a key counts one."""
    found = {dimension: Points() for dimension in DIMENSIONS}
    for asked in done:
        item = asked.item
        if isinstance(item, schema.Open):
            for point in item.rubric:
                found[point.dimension].of += point.weight
                found[point.dimension].made += point.weight * (point.id in asked.got)
        elif asked.answered is not None:
            points = found[KEYED.get(type(item), "correctness")]
            points.of += 1
            points.made += asked.answered.right
    return found


def lost(asked: Asked) -> float:
    """The weight that a question cost, red flags counting one each."""
    item = asked.item
    if isinstance(item, schema.Open):
        missed = sum(point.weight for point in item.rubric if point.id not in asked.got)
        return missed + len(asked.flags)
    return 0.0 if asked.answered is None or asked.answered.right else 1.0


def _head(frame: Frame, done: Sequence[Asked]) -> str:
    state = "" if frame.finished else " It was broken off; this is what there is."
    return (
        f"# Mock interview: {frame.level}, {frame.topics}\n\n"
        f"{frame.at:%d %B %Y, %H:%M}. {len(done)} of {len(frame.plan.questions)} questions, "
        f"{clock_time(frame.used)} of {frame.minutes}:00 minutes used.{state}\n\n"
        f"Again: `{frame.command}`\n\n"
        "You ticked the rubrics yourself. The points are the weights of what you ticked, and one "
        "for each question with a key that you answered right. There is no other judge and no mark."
    )


def _points(done: Sequence[Asked]) -> str:
    rows = ["## Points by dimension", "", "| dimension | points | of |", "|---|---|---|"]
    for dimension, points in points_by_dimension(done).items():
        made = f"{points.made:g}" if points.of else "not asked"
        rows.append(f"| {dimension} | {made} | {points.of:g} |")
    said = sum(len(each.got) for asked in done for each in asked.follow_ups)
    expected = sum(len(each.expects) for asked in done for each in asked.follow_ups)
    if expected:
        rows += ["", f"Follow-ups: {said} of {expected} expected points."]
    return "\n".join(rows)


def _musts(done: Sequence[Asked]) -> str:
    rows = [
        f"- {point.point}  (question {number}, {asked.question.stage})"
        for number, asked in enumerate(done, 1)
        if isinstance(asked.item, schema.Open)
        for point in asked.item.rubric
        if point.must and point.id not in asked.got
    ]
    return "## Missed musts\n\n" + ("\n".join(rows) or "None.")


def _flags(done: Sequence[Asked]) -> str:
    rows = [
        f"- {_flag(asked.item.red_flags[n])}  (question {number})"
        for number, asked in enumerate(done, 1)
        if isinstance(asked.item, schema.Open)
        for n in asked.flags
    ]
    return "## Red flags you admitted\n\n" + ("\n".join(rows) or "None.")


def _study(done: Sequence[Asked]) -> str:
    topics: dict[str, list[Asked]] = {}
    for asked in sorted((asked for asked in done if lost(asked)), key=lost, reverse=True):
        topics.setdefault(asked.question.entry.quiz.id, []).append(asked)
    if not topics:
        return "## Study this first\n\nNothing was missed. Ask for a higher level or other topics."
    worst = sorted(topics, key=lambda topic: -sum(map(lost, topics[topic])))
    rows = [_topic(number, topic, topics[topic]) for number, topic in enumerate(worst, 1)]
    return "\n".join(["## Study this first", "", *rows])


def _topic(number: int, topic: str, missed: Sequence[Asked]) -> str:
    total = sum(map(lost, missed))
    points = f"{total:g} point{'' if total == 1 else 's'}"
    title = missed[0].question.entry.quiz.title
    rows = [f"{number}. {title}: {points} missed. `rlgrade quiz run {topic}`"]
    sources = dict.fromkeys(source for asked in missed for source in asked.item.sources)
    rows += [f"   - {source}" for source in sources if not source.startswith(OUR_OWN)]
    return "\n".join(rows)


def _exercises(done: Sequence[Asked]) -> str:
    names = dict.fromkeys(
        asked.question.entry.exercise
        for asked in sorted(done, key=lost, reverse=True)
        if lost(asked) and asked.question.entry.exercise
    )
    if not names:
        return ""
    rows = [f"- `{offer(name).partition('  ')[0]}` ({name})" for name in names if name]
    return "\n".join(["## Exercises", "", *rows])


def _question(number: int, asked: Asked) -> str:
    plan = clock_time(asked.question.seconds)
    more = " with follow-ups" if asked.follow_ups else ""
    parts = [
        f"## {number}. {asked.question.stage.capitalize()}",
        f"`{asked.item.id}`, {clock_time(asked.seconds)}{more}, planned {plan}.",
        quoted(asked.question.instance.stem),
        fenced(asked.item.code),
    ]
    if isinstance(asked.item, schema.Open):
        parts += _open(asked, asked.item)
    else:
        right = asked.answered is not None and asked.answered.right
        parts += [
            f"It has a key, and your answer was {'right' if right else 'not right'}.",
            fenced(presenting.solution(asked.question.instance)),
        ]
    return "\n\n".join(part for part in parts if part)


def _open(asked: Asked, item: schema.Open) -> Iterator[str]:
    yield "**You said:**" if asked.answer else "You answered aloud, or not at all."
    yield quoted(asked.answer)
    yield "\n".join(_point(point, point.id in asked.got) for point in item.rubric)
    yield "\n".join(f"- red flag: {_flag(item.red_flags[n])}" for n in asked.flags)
    for each in asked.follow_ups:
        yield f"**Follow-up:** {each.ask}"
        yield quoted(each.answer)
        rows = enumerate(each.expects)
        yield "\n".join(f"- {'✓' if n in each.got else '✗'} {text}" for n, text in rows)
    yield f"**In a minute:** {item.model_answer.short.strip()}"
    yield f"**With everything:**\n\n{item.model_answer.long.strip()}"


def _flag(flag: schema.RedFlag) -> str:
    return f"{flag.text.strip().rstrip('.')}. {flag.why.strip()}"


def _point(point: schema.RubricPoint, said: bool) -> str:
    must = ", must" if point.must else ""
    return f"- {'✓' if said else '✗'} {point.point}  ({point.dimension}, {point.weight}{must})"


def _not_asked(frame: Frame, done: Sequence[Asked]) -> str:
    ids = {asked.item.id for asked in done}
    rows = [
        f"- {question.stage}: {question.entry.item.id}"
        for question in frame.plan.questions
        if question.entry.item.id not in ids
    ]
    return "\n".join(["## Not asked", "", *rows]) if rows else ""


def quoted(text: str) -> str:
    """A text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def fenced(code: str) -> str:
    """Code, or a log, between fences."""
    return f"```\n{code.strip(chr(10))}\n```" if code.strip() else ""

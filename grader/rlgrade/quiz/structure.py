"""What the types of the schema cannot say: one key, names that exist, lines that are there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rlgrade.quiz import schema
from rlgrade.quiz.arithmetic import ArithmeticProblem, parse
from rlgrade.quiz.loading import Loaded
from rlgrade.quiz.patching import PatchError, patched
from rlgrade.quiz.problems import Problem
from rlgrade.quiz.scalars import Steps

ITEM_ID = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+\Z")
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
WHEN = re.compile(r"always\Z|(missing|got):(.+)\Z")
DATE = re.compile(r"20\d\d-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?\Z")

Found = Iterator[tuple[Steps, str, str]]  # steps inside the item, the rule, the message


def check(loaded: Loaded, exercises: Iterable[str]) -> list[Problem]:
    """Every fault of a file that can be seen without running or calling anything.

    exercises: the ids of the course's exercises.
    """
    known = set(exercises)
    problems = [loaded.problem(*found) for found in _file(loaded, known)]
    for steps, item in loaded.places():
        for inside, rule, message in _item(item, loaded.quiz, known):
            problems.append(loaded.problem(steps + inside, rule, message, item.id))
    return problems


def _file(loaded: Loaded, exercises: set[str]) -> Found:
    quiz = loaded.quiz
    if quiz.id != loaded.path.stem:
        yield ("id",), "file-id", f"the file's id is {quiz.id!r}; call it {loaded.path.stem!r}"
    yield from _exercise(quiz.exercise, exercises)
    yield from _twice(quiz.objectives, "objectives")
    yield from _twice(quiz.misconceptions, "misconceptions")
    ids = Counter(item.id for _, item in loaded.places())
    for steps, item in loaded.places():
        if ids[item.id] > 1:
            yield (*steps, "id"), "unique-id", f"{item.id!r} is there twice; rename one"


def _twice(entries: Iterable[Any], field: str) -> Found:
    entries = list(entries)
    counts = Counter(entry.id for entry in entries)
    for index, entry in enumerate(entries):
        if counts[entry.id] > 1:
            yield (field, index), "unique-id", f"{field}: {entry.id!r} is there twice; rename one"


def _exercise(name: str | None, exercises: set[str]) -> Found:
    if name is not None and name not in exercises:
        from rlgrade.quiz.names import did_you_mean

        hint = did_you_mean(name, exercises)
        yield ("exercise",), "exercise", f"there is no exercise {name!r}{hint}; null means none"


def _item(item: schema.Item, quiz: schema.QuizFile, exercises: set[str]) -> Found:
    if not ITEM_ID.match(item.id):
        yield ("id",), "item-id", "write it as topic.sub.name in small letters"
    if item.objective not in {objective.id for objective in quiz.objectives}:
        known = ", ".join(objective.id for objective in quiz.objectives)
        message = f"objective {item.objective!r} is not declared in this file; it has {known}"
        yield ("objective",), "objective", message
    if item.as_of and not DATE.match(item.as_of):
        yield ("as_of",), "as-of", f"{item.as_of!r} is no date; write 2026-11 or 2026-11-20"
    if item.rev < 1 or item.meaning < 1 or item.seconds < 1:
        yield ("rev",), "counts", "rev, meaning and seconds are at least 1"
    yield from _exercise(item.exercise, exercises)
    yield from _placeholders(item)
    yield from KINDS[type(item)](item)


def _placeholders(item: schema.Item) -> Found:
    known = set(item.params) if isinstance(item, schema.Numeric) else set()
    texts: list[tuple[Steps, str, set[str]]] = [
        (("stem",), item.stem, known),
        (("explain",), item.explain, known | {"answer"} if known else known),
        *((("hints", n), hint, known) for n, hint in enumerate(item.hints)),
    ]
    for steps, text, names in texts:
        for name in PLACEHOLDER.findall(text):
            if name not in names:
                has = ", ".join(sorted(names)) or "none"
                yield steps, "placeholder", f"${{{name}}} is no drawn parameter; there are {has}"


def _options(options: list[Any], field: str, least: int, most: int, keys: int | None) -> Found:
    """keys: how many are right; None where it is at least one and not all."""
    if not least <= len(options) <= most:
        yield (field,), "options", f"{len(options)} {field}; it needs {least} to {most}"
    yield from _twice(options, field)
    right = sum(option.correct for option in options)
    if keys is not None and right != keys:
        yield (field,), "key", f"{right} {field} are marked `correct: true`; exactly {keys} must be"
    if keys is None and not 0 < right < len(options):
        yield (field,), "key", f"{right} of {len(options)} are correct; some must be, and not all"


def _single(item: schema.Single) -> Found:
    yield from _options(item.options, "options", 3, 5, 1)


def _multi(item: schema.Multi) -> Found:
    yield from _options(item.options, "options", 5, 7, None)


def _numeric(item: schema.Numeric) -> Found:
    earlier: set[str] = set()
    for name, parameter in item.params.items():
        if name in ("answer", "random") or not name.isidentifier():
            yield ("params", name), "parameter", f"{name!r} cannot be the name of a parameter"
        ways = (parameter.choice, parameter.whole, parameter.decimal, parameter.call or None)
        if sum(way is not None for way in ways) != 1:
            message = f"{name} needs exactly one of choice, int, float and call"
            yield ("params", name), "parameter", message
        if parameter.choice == []:
            yield ("params", name), "parameter", f"{name} has nothing to choose from"
        for span in (parameter.whole, parameter.decimal):
            if span is not None and span[0] > span[1]:
                yield ("params", name), "parameter", f"{name}: the first number is the larger"
        yield from _arguments(parameter.args, earlier, ("params", name, "args"))
        earlier.add(name)
    names = set(item.params)
    yield from _arguments(item.answer.args, names, ("answer", "args"))
    for index, wrong in enumerate(item.wrong):
        steps: Steps = ("wrong", index, "call", "args")
        yield from _arguments(wrong.call.args, {*names, "answer"}, steps)
    if item.reject_if:
        yield from _arguments(item.reject_if.args, {*names, "answer"}, ("reject_if", "args"))
    if min(item.abs, item.rel) < 0 or item.abs + item.rel == 0:
        yield ("abs",), "tolerance", "abs and rel are not negative, and one of them is positive"


def _arguments(arguments: dict[str, Any], known: set[str], steps: Steps) -> Found:
    for name in dollar_names(arguments):
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            yield steps, "parameter", f"${name} is no drawn parameter; the item has {has}"


def dollar_names(value: Any) -> Iterator[str]:
    """The names of the parameters that an argument stands for."""
    if isinstance(value, str) and value.startswith("$"):
        yield value[1:]
    elif isinstance(value, dict):
        for inner in value.values():
            yield from dollar_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from dollar_names(inner)


def _order(item: schema.Order) -> Found:
    texts = [block.text.strip() for block in [*item.blocks, *item.distractors]]
    if len(item.blocks) < 3:
        yield ("blocks",), "blocks", "it needs 3 blocks or more"
    if len(set(texts)) < len(texts):
        yield ("blocks",), "blocks", "two blocks have the same text; then two orders are right"


def _match(item: schema.Match) -> Found:
    rights = [pair.right for pair in item.pairs] + [block.text for block in item.spare]
    if len(item.pairs) < 3:
        yield ("pairs",), "pairs", "it needs 3 pairs or more"
    for side in ([pair.left for pair in item.pairs], rights):
        if len({text.strip() for text in side}) < len(side):
            yield ("pairs",), "pairs", "a text stands twice on one side; then two answers are right"


def _predict(item: schema.Predict) -> Found:
    if not item.code.strip():
        yield ("code",), "code", "it needs code to run"


def _bug(item: schema.Bug) -> Found:
    yield from _options(item.fixes, "fixes", 2, 5, 1)
    lines = len(item.code.rstrip("\n").splitlines())
    if not item.buggy_lines or not all(1 <= line <= lines for line in item.buggy_lines):
        yield ("buggy_lines",), "buggy-lines", f"the code has the lines 1 to {lines}"
        return
    for index, fix in enumerate(item.fixes):
        try:
            patched(item.code, item.buggy_lines, fix.text)
        except PatchError as error:
            yield ("fixes", index, "text"), "fix", str(error)


def _claim(item: schema.Claim) -> Found:
    if item.verdict == "conditional":
        yield from _options(item.conditions, "conditions", 2, 5, 1)
    elif any(condition.correct for condition in item.conditions):
        yield ("conditions",), "key", f"the verdict is {item.verdict}, so no condition is correct"


def _estimate(item: schema.Estimate) -> Found:
    if item.factor <= 1:
        yield ("factor",), "tolerance", "factor is more than 1"
    yield from _arguments(item.answer.args, set(), ("answer", "args"))


def _derive(item: schema.Derive) -> Found:
    if not item.blanks:
        yield ("blanks",), "blanks", "it needs a blank"
    for index, blank in enumerate(item.blanks):
        steps: Steps = ("blanks", index)
        if bool(blank.expression) == bool(blank.options):
            yield steps, "blanks", "a blank has either an expression or options"
        if blank.options:
            for inside, rule, message in _options(blank.options, "options", 2, 5, 1):
                yield steps + inside, rule, message
        if blank.expression:
            try:
                parse(blank.expression, blank.variables)
            except ArithmeticProblem as error:
                yield (*steps, "expression"), "expression", str(error)


def _open(item: schema.Open) -> Found:
    yield from _twice(item.rubric, "rubric")
    points = {point.id for point in item.rubric}
    for index, follow_up in enumerate(item.follow_ups):
        when = WHEN.match(follow_up.when)
        if not when or (when[2] and when[2] not in points):
            message = f"when is {follow_up.when!r}; write always, missing:ID or got:ID of {points}"
            yield ("follow_ups", index, "when"), "follow-up", message
    if any(point.weight < 1 for point in item.rubric):
        yield ("rubric",), "rubric", "a weight is at least 1"


def _case(item: schema.Case) -> Found:
    if len(item.items) < 2:
        yield ("items",), "case", "a case has 2 questions or more"


KINDS: dict[type, Callable[[Any], Found]] = {
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
    schema.Case: _case,
}

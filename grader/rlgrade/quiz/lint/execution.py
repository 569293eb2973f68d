"""What is wrong when an item is run: keys, wrong numbers over many seeds, snippets, proofs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from rlgrade.outcome import UsageError
from rlgrade.quiz import schema
from rlgrade.quiz.arithmetic import parse, value
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.comparing import same_output
from rlgrade.quiz.drawing import Draws, Instance, call, draw
from rlgrade.quiz.marking import mark, mark_blank, points, within
from rlgrade.quiz.patching import patched
from rlgrade.quiz.scalars import Steps
from rlgrade.quiz.snippets import Ran, Snippet, run_snippets

SEEDS = 200
DISTINCT = 50
BROKEN_TEST = {"NameError", "SyntaxError", "ImportError", "ModuleNotFoundError"}

Found = Iterator[tuple[Steps, str, str]]


def check_keys(item: schema.Item, bank: Bank) -> Found:
    """What is wrong with the computed keys of one item; snippets are not run here."""
    try:
        match item:
            case schema.Numeric():
                yield from _numeric(item, bank)
            case schema.Estimate():
                key = draw(item, 0, bank.functions).value
                if not (math.isfinite(key) and key > 0):
                    yield ("answer",), "key", f"the key is {key}; an estimate is positive"
            case schema.Single(key=schema.Key()) | schema.Multi(key=schema.Key()):
                yield from _proof(item, bank)
            case schema.Derive():
                yield from _derive(item, bank)
    except UsageError as error:
        yield (), "call", str(error)


def _numeric(item: schema.Numeric, bank: Bank) -> Found:
    instances = [draw(item, seed, bank.functions) for seed in range(SEEDS)]
    keys = [instance.value for instance in instances]
    for instance in instances:
        if not math.isfinite(instance.value):
            yield ("answer",), "key", f"seed {instance.seed}: the key is {instance.value}"
            return
    distinct = len({f"{key:.5g}" for key in keys})
    if distinct < DISTINCT:
        message = f"{distinct} distinct keys in {SEEDS} seeds; draw from more to have {DISTINCT}"
        yield ("params",), "variants", message
    for instance in instances:
        if not mark(instance, f"{instance.value:.6g}").right:
            yield ("answer",), "key", f"seed {instance.seed}: its own key is marked wrong"
            break
    for n, wrong in enumerate(item.wrong):
        yield from _wrong_number(item, instances, n, wrong.call.call)


def _wrong_number(item: schema.Numeric, instances: list[Instance], n: int, name: str) -> Found:
    for instance in instances:
        number = instance.wrong[n][0]
        drawn = dict(instance.parameters)
        if not math.isfinite(number):
            yield ("wrong", n), "wrong", f"seed {instance.seed}, {drawn}: {name} gives {number}"
            return
        if within(instance.value, number, item):
            message = (
                f"seed {instance.seed}, {drawn}: {name} gives {number:.6g}, within the tolerance "
                f"of the key {instance.value:.6g}; use reject_if to draw again"
            )
            yield ("wrong", n), "wrong", message
            return


def _proof(item: schema.Single | schema.Multi, bank: Bank) -> Found:
    assert item.key
    found = call(schema.Call(call=item.key.call, args=item.key.args), {}, bank.functions)
    proved = {found} if isinstance(found, str) else set(found)
    marked = {option.id for option in item.options if option.correct}
    if proved != marked:
        message = f"{item.key.call} says that {sorted(proved)} are right; marked: {sorted(marked)}"
        yield ("key",), "key", message


def _derive(item: schema.Derive, bank: Bank) -> Found:
    instance = draw(item, 0, bank.functions)
    for n, blank in enumerate(item.blanks):
        if not blank.expression:
            continue
        tree = parse(blank.expression, blank.variables)
        values = [value(tree, point) for point in points(blank, Draws(item, 1).source("lint"))]
        if not all(math.isfinite(number) for number in values):
            yield ("blanks", n), "expression", "it has no value at some point of its ranges"
        elif not mark_blank(instance, n, blank.expression).right:
            yield ("blanks", n), "expression", "its own expression is marked wrong"


class SnippetRun:
    """The snippets of many items, run together, and what each item makes of its results."""

    def __init__(self, run: Callable[..., list[Ran]] = run_snippets) -> None:
        self.run = run
        self.snippets: list[Snippet] = []

    def check(self, items: list[schema.Item]) -> list[tuple[schema.Item, Steps, str, str]]:
        """What is wrong with the code of these items; each snippet runs in two processes."""
        spans = [(item, self._add(item)) for item in items]
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda n: self.run(self.snippets, hash_seed=n), (0, 1))
        return [
            (item, *found)
            for item, span in spans
            if span
            for found in _judge(item, first[span[0] : span[1]], second[span[0] : span[1]])
        ]

    def _add(self, item: schema.Item) -> tuple[int, int] | None:
        start = len(self.snippets)
        if isinstance(item, schema.Predict):
            self.snippets.append(Snippet(item.code))
        elif isinstance(item, schema.Bug):
            codes = [item.code, *(patched(item.code, item.buggy_lines, f.text) for f in item.fixes)]
            self.snippets += [Snippet(code, item.test) for code in codes]
        return (start, len(self.snippets)) if len(self.snippets) > start else None


def _judge(item: schema.Item, first: list[Ran], second: list[Ran]) -> Found:
    wants = any("torch" in text for text in (item.code, getattr(item, "test", "")))
    if getattr(item, "needs_torch", False) != wants:
        yield ("code",), "needs-torch", f"set needs_torch: {str(wants).lower()}"
    if [(ran.stage, ran.output) for ran in first] != [(ran.stage, ran.output) for ran in second]:
        yield ("code",), "code", "two runs differ; seed what is random and sort what is a set"
    elif isinstance(item, schema.Predict):
        yield from _predict(item, first[0])
    elif isinstance(item, schema.Bug):
        yield from _bug(item, first)


def _predict(item: schema.Predict, ran: Ran) -> Found:
    if ran.stage:
        yield ("code",), "code", f"it fails: {ran.error}"
        return
    lines = len(ran.output.strip("\n").splitlines())
    if not 1 <= lines <= 5 or not ran.output.strip():
        yield ("code",), "code", f"it prints {lines} lines; 1 to 5 can be predicted"
    for n, wrong in enumerate(item.wrong):
        if same_output(ran.output, wrong.output):
            yield ("wrong", n), "wrong", "that is what it prints"


def _bug(item: schema.Bug, runs: list[Ran]) -> Found:
    before, fixed = runs[0], runs[1:]
    yield from _fails(("test",), "the code as it is", before)
    for n, (fix, ran) in enumerate(zip(item.fixes, fixed, strict=True)):
        if fix.correct and ran.stage:
            message = f"the test fails with the right fix ({ran.stage}): {ran.error}"
            yield ("fixes", n), "fix", message
        if not fix.correct:
            yield from _fails(("fixes", n), f"the wrong fix {fix.id!r}", ran)


def _fails(steps: Steps, what: str, ran: Ran) -> Found:
    if not ran.stage:
        yield steps, "fix", f"the test passes with {what}; it must fail"
    elif ran.kind in BROKEN_TEST:
        yield steps, "fix", f"with {what} the {ran.stage} is broken, not wrong: {ran.error}"
    elif ran.stage in ("time", "died"):
        yield steps, "fix", f"with {what}: {ran.error}"


def executable(item: schema.Item) -> bool:
    """Whether the key is computed or proved by running something."""
    match item:
        case schema.Numeric() | schema.Predict() | schema.Bug() | schema.Estimate():
            return True
        case schema.Derive():
            return any(blank.expression for blank in item.blanks)
        case schema.Single() | schema.Multi():
            return item.key is not None
    return False

"""Drawing examples fast, and shrinking the one that failed with Hypothesis.

Drawing with Hypothesis costs 0.2 to 0.8 ms an example, as much as everything else together, and
nearly every run draws only to pass. So examples are drawn with the standard library's generator,
and their choices are noted in Hypothesis's own terms; after a failure Hypothesis replays the noted
choices and shrinks from there.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rlgrade.author.declare import Property

Choice = int | bytes
SIMPLE_OCTETS = 34  # zero and the quarters up to 4, see `strategies.NUMBERS`
PATIENCE = 40  # examples in a row that were all drawn before: a tiny strategy is exhausted


@dataclass(frozen=True)
class Example:
    """The arguments of one run of a body, and the choices they were drawn from."""

    arguments: dict[str, Any]
    choices: tuple[Choice, ...]


class RandomSource:
    """Choices from a seeded generator: ends and small values more often than chance has it."""

    def __init__(self, generator: random.Random, simplest: bool = False) -> None:
        self._random = generator
        self._simplest = simplest
        self._small = generator.random() < 0.25
        self.choices: list[Choice] = []

    def integer(self, low: int, high: int) -> int:
        value = low
        if not self._simplest and high > low:
            ends = self._random.random()
            if ends < 0.1:
                value = high
            elif ends > 0.2:
                value = self._random.randint(low, high)
        if low != high:
            self.choices.append(value)
        return value

    def octets(self, size: int) -> bytes:
        value = bytes(size)
        if not self._simplest:
            value = self._random.randbytes(size)
            if self._small:
                value = bytes(octet & 3 for octet in value)
        self.choices.append(value)
        return value


def draw_examples(tries: Property, seed: str) -> Iterator[Example]:
    """Different examples, the simplest first, as many as the property asks for if there are."""
    if not tries.strategies:
        yield Example({}, ())
        return
    generator = random.Random(seed)
    seen: set[tuple[Choice, ...]] = set()
    stale = 0
    while len(seen) < tries.examples and stale < PATIENCE:
        example = _draw(tries, RandomSource(generator, simplest=not seen))
        if example.choices in seen:
            stale += 1
            continue
        stale = 0
        seen.add(example.choices)
        yield example


def _draw(tries: Property, source: Any) -> Example:
    arguments = {name: strategy.draw(source) for name, strategy in tries.strategies.items()}
    return Example(arguments, tuple(source.choices))


def shrink(
    tries: Property, failing: Example, fails: Callable[[Example], bool], most: int
) -> Example:
    """The simplest example found in `most` tries on which `fails` still holds.

    The budget is a number of tries, so that a run can be repeated on a busier machine.
    """
    if not tries.strategies:
        return failing
    import hypothesis
    from hypothesis import strategies as st
    from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes

    best = failing
    verdicts: dict[tuple[Choice, ...], bool] = {}

    @st.composite
    def examples(draw: Any) -> _Unshown:
        return _Unshown(_draw(tries, _HypothesisSource(draw, st)))

    def holds(unshown: _Unshown) -> bool:
        return condition(unshown.example)

    def condition(example: Example) -> bool:
        nonlocal best
        if example.choices not in verdicts:
            verdicts[example.choices] = len(verdicts) < most and fails(example)
        if verdicts[example.choices] and _size(example) < _size(best):
            best = example
        return verdicts[example.choices]

    database = InMemoryExampleDatabase()
    database.save(b"failing.secondary", choices_to_bytes(failing.choices))
    settings = hypothesis.settings(
        database=database,
        deadline=None,
        phases=[hypothesis.Phase.reuse, hypothesis.Phase.shrink],
        verbosity=hypothesis.Verbosity.quiet,
    )
    # The public ways to fix the seed switch the database off. Should this private name move, a
    # shrunk example may differ between two runs, and a test says so.
    hypothesis.core.threadlocal._hypothesis_global_random = random.Random(0)
    with contextlib.suppress(hypothesis.errors.HypothesisException):  # the best so far stands
        hypothesis.find(examples(), holds, settings=settings, database_key=b"failing")
    _lower_octets(tries, lambda: best, condition)
    return best


class _HypothesisSource:
    """Choices that Hypothesis makes, by its strategies `st`."""

    def __init__(self, draw: Callable[[Any], Any], st: Any) -> None:
        self._draw = draw
        self._st = st
        self.choices: list[Choice] = []

    def integer(self, low: int, high: int) -> int:
        if low == high:
            return low
        self.choices.append(self._draw(self._st.integers(low, high)))
        return self.choices[-1]  # type: ignore[return-value]

    def octets(self, size: int) -> bytes:
        self.choices.append(self._draw(self._st.binary(min_size=size, max_size=size)))
        return self.choices[-1]  # type: ignore[return-value]


class _Unshown:
    """An example whose numbers Hypothesis does not write out; it would warn where they are many.

    It writes a dataclass out, whatever its `__repr__`.
    """

    def __init__(self, example: Example) -> None:
        self.example = example


def _lower_octets(
    tries: Property, best: Callable[[], Example], condition: Callable[[Example], bool]
) -> None:
    """Try every simpler octet at each place of the best example; `condition` notes what is better.

    Hypothesis takes less for simpler all the way, and so stops at the first octet below which it
    finds no failure; the simplest of all may lie further below.
    """
    for place, choice in enumerate(best().choices):
        for index in range(len(choice) if isinstance(choice, bytes) else 0):
            before, old, after = _around(best().choices, place)
            for octet in range(min(old[index], SIMPLE_OCTETS)):
                new = old[:index] + bytes([octet]) + old[index + 1 :]
                if condition(_draw(tries, _Replay((*before, new, *after)))):
                    break


def _around(
    choices: tuple[Choice, ...], place: int
) -> tuple[tuple[Choice, ...], bytes, tuple[Choice, ...]]:
    octets = choices[place]
    assert isinstance(octets, bytes)
    return choices[:place], octets, choices[place + 1 :]


def fresh_arguments(tries: Property, example: Example) -> dict[str, Any]:
    """The example's arguments drawn anew; a body may have changed the arrays of the last run."""
    return _draw(tries, _Replay(example.choices)).arguments


class _Replay:
    """Gives noted choices again; only for changes that ask for no other ones."""

    def __init__(self, choices: tuple[Choice, ...]) -> None:
        self.choices = choices
        self._rest = iter(choices)

    def integer(self, low: int, high: int) -> int:
        return low if low == high else next(self._rest)  # type: ignore[return-value]

    def octets(self, size: int) -> bytes:
        return next(self._rest)  # type: ignore[return-value]


def _size(example: Example) -> tuple[int, int, list[tuple[int, bytes]]]:
    """Shorter is simpler; at equal length, smaller choices are."""
    octets = sum(len(choice) for choice in example.choices if isinstance(choice, bytes))
    order = [(2 * abs(c) + (c < 0), b"") if isinstance(c, int) else (0, c) for c in example.choices]
    return octets, len(example.choices), order

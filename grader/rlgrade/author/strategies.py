"""Strategies: what a check is tried on.

A strategy turns whole numbers and bytes from a `Source` into a value. Whole numbers and bytes are
what Hypothesis shrinks best, so every strategy is laid out for it: zero is the simplest byte, small
numbers come before large and round before crooked, and time is the slowest axis of the bytes, so
that cutting them off shortens a rollout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
T = TypeVar("T")
S = TypeVar("S")
P = ParamSpec("P")


class Source(Protocol):
    """Where choices come from: a random generator, or Hypothesis when it replays and shrinks."""

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""

    def octets(self, size: int) -> bytes:
        """`size` bytes."""


@dataclass(frozen=True)
class Strategy(Generic[T]):
    """A way to draw values of one kind."""

    draw: Callable[[Source], T]

    def map(self, function: Callable[[T], S]) -> Strategy[S]:
        """Draw as before, then apply `function`."""
        return Strategy(lambda source: function(self.draw(source)))


class Draw(Protocol):
    """What a `@strategy` function gets to draw its parts with."""

    def __call__(self, strategy: Strategy[S], /) -> S:
        """A value of the given strategy."""


def strategy(function: Callable[Concatenate[Draw, P], T]) -> Callable[P, Strategy[T]]:
    """Make a strategy of a function that draws its parts; the first argument is `draw`."""

    def build(*args: P.args, **kwargs: P.kwargs) -> Strategy[T]:
        return Strategy(lambda source: function(lambda part: part.draw(source), *args, **kwargs))

    return build


def integers(low: int, high: int) -> Strategy[int]:
    """Whole numbers from `low` to `high`, both included."""
    return Strategy(lambda source: source.integer(low, high))


def one_of(*values: T) -> Strategy[T]:
    """One of the values; the first is the simplest."""
    return Strategy(lambda source: values[source.integer(0, len(values) - 1)])


def booleans() -> Strategy[bool]:
    """False or True."""
    return one_of(False, True)


def distinct_sizes(*bounds: tuple[int, int]) -> Strategy[tuple[int, ...]]:
    """Axis sizes within their bounds, no two equal, so that swapped axes show.

    Each size that is taken already moves on to the next free one, so the upper bound may be passed
    by the number of axes before it.
    """

    def draw(source: Source) -> tuple[int, ...]:
        sizes: list[int] = []
        for low, high in bounds:
            size = source.integer(low, high)
            while size in sizes:
                size += 1
            sizes.append(size)
        return tuple(sizes)

    return Strategy(draw)


def _numbers() -> Array:
    """256 numbers from -4 to 4: quarters first, then crooked ones, each by size."""
    quarters = [k / 4 for k in range(-16, 17)]
    crooked = [round(x, 2) for x in np.linspace(-3.97, 3.97, 256 - len(quarters)).tolist()]
    plain = sorted(quarters, key=lambda x: (x != round(x), x * 2 != round(x * 2), abs(x), x < 0))
    return np.array(plain + sorted(crooked, key=lambda x: (abs(x), x < 0)))


NUMBERS = _numbers()
PERIOD = 11  # after which the numbers of `long_tables` repeat


def tensors(
    *shape: int, low: float = -4.0, high: float = 4.0, dtype: str = "float32"
) -> Strategy[Array]:
    """Tensors of this shape with entries from `low` to `high`, many of them round."""
    # From zero outwards where zero is allowed, so that zero stays the simplest entry.
    table: Array = NUMBERS * (high - low) / 8 + (low + high) / 2
    if low <= 0 <= high:
        table = np.where(NUMBERS >= 0, NUMBERS * high / 4, NUMBERS * -low / 4)
    digits = max(4, 2 - math.floor(math.log10(high - low))) if high > low else 4
    # Clipped, for rounding may pass a bound; plus zero, for -0.0 would be shown as such.
    table = (np.clip(np.round(table, digits), low, high) + 0.0).astype(dtype)

    def draw(source: Source) -> Array:
        octets = source.octets(math.prod(shape))
        drawn: Array = np.take(table, np.frombuffer(octets, dtype=np.uint8))
        return drawn.reshape(shape)

    return Strategy(draw)


def integer_tensors(*shape: int, low: int, high: int) -> Strategy[Array]:
    """int64 tensors with entries from `low` to `high`, both included, at most 256 different."""

    def draw(source: Source) -> Array:
        octets = np.frombuffer(source.octets(math.prod(shape)), dtype=np.uint8)
        return (octets.astype(np.int64) % (high - low + 1) + low).reshape(shape)

    return Strategy(draw)


def masks(*shape: int, at_least: int = 1) -> Strategy[Array]:
    """bool tensors; along the last axis every row has at least `at_least` entries that are True."""

    def draw(source: Source) -> Array:
        octets = np.frombuffer(source.octets(math.prod(shape)), dtype=np.uint8).reshape(shape)
        forced = np.argsort(octets, axis=-1, kind="stable")[..., :at_least]
        mask: Array = octets % 2 == 0
        np.put_along_axis(mask, forced, True, axis=-1)
        return mask

    return Strategy(draw)


def prefix_masks(rows: int, length: int, *, at_least: int = 1) -> Strategy[Array]:
    """bool [rows, length]: each row True up to its own length, as for padded responses."""

    def draw(source: Source) -> Array:
        octets = np.frombuffer(source.octets(rows), dtype=np.uint8)
        lengths = length - octets.astype(np.int64) % (length - at_least + 1)
        return np.arange(length) < lengths[:, None]

    return Strategy(draw)


def discounts() -> Strategy[float]:
    """Discount factors, round ones first, the ends 0 and 1 included."""
    return one_of(1.0, 0.5, 0.9, 0.25, 0.0, 0.99, 0.75, 0.83)


def lambdas() -> Strategy[float]:
    """Values of the lambda of GAE, the ends 0 and 1 included."""
    return one_of(1.0, 0.5, 0.0, 0.95, 0.25, 0.8, 0.65)


@dataclass(frozen=True)
class Rollout:
    """Consecutive transitions of one environment, [T], or of several side by side, [B, T].

    `next_values` agrees with `values` one step later wherever the episode goes on, as in a real
    rollout. Where it was cut it is the value of the final observation; after termination it is
    arbitrary, for it must not count.
    """

    rewards: Array
    values: Array
    next_values: Array
    terminated: Array
    truncated: Array

    @property
    def cut(self) -> Array:
        """bool: the episode ended here, either way."""
        return self.terminated | self.truncated

    def part(self, start: int, stop: int) -> Rollout:
        """The transitions from `start` up to `stop`."""
        fields = {name: array[..., start:stop] for name, array in vars(self).items()}
        return Rollout(**fields)

    def astype(self, dtype: str) -> Rollout:
        """The same numbers in another float dtype."""
        return replace(
            self,
            rewards=self.rewards.astype(dtype),
            values=self.values.astype(dtype),
            next_values=self.next_values.astype(dtype),
        )


def rollouts(
    *, steps: tuple[int, int] = (1, 6), batch: tuple[int, int] | None = None
) -> Strategy[Rollout]:
    """Rollouts with zero or more episode ends of both kinds, also on one step, also on the last.

    Args:
        steps: bounds of T.
        batch: bounds of B; None draws [T]. B and T are never equal.
    """

    def draw(source: Source) -> Rollout:
        t = source.integer(*steps)
        b = 1 if batch is None else source.integer(*batch)
        if batch is not None and b == t:
            b += 1
        octets = np.frombuffer(source.octets(t * b * 4), dtype=np.uint8).reshape(t, b, 4)
        by_row = octets.transpose(1, 0, 2)
        rollout = _rollout(by_row)
        return rollout if batch is not None else Rollout(*(a[0] for a in vars(rollout).values()))

    return Strategy(draw)


def _rollout(octets: Array) -> Rollout:
    numbers = NUMBERS.astype(np.float32)
    flags = octets[..., 3]
    both = (flags % 8 == 7) & (flags >= 192)
    terminated = (flags % 8 == 1) | both
    truncated = (flags % 8 == 2) | both
    values = numbers[octets[..., 1]]
    next_values = numbers[octets[..., 2]]
    goes_on = ~(terminated | truncated)[:, :-1]
    next_values[:, :-1] = np.where(goes_on, values[:, 1:], next_values[:, :-1])
    return Rollout(numbers[octets[..., 0]], values, next_values, terminated, truncated)


@strategy
def long_tables(
    draw: Draw, count: int, *, steps: tuple[int, int], batch: tuple[int, int] | None = None
) -> tuple[Array, Array]:
    """Tables float32 [count, B, T] of a few numbers that repeat, and flags [2, B, T] of ends.

    A rollout has up to three ends. The rows of a batch have at least one; the numbers and ends of a
    row are those of the row before it, shifted, and the ends of the other kind. Few choices are
    drawn, so that a case of thousands of numbers can be shrunk.

    Args:
        count: how many tables.
        steps: bounds of T.
        batch: bounds of B; None draws one row. B and T are never equal in a batch.
    """
    t = draw(integers(*steps))
    b = draw(integers(*batch)) if batch else 1
    shift = np.arange(b + (b == t and batch is not None))[:, None]
    numbers = draw(tensors(count, PERIOD))[:, (np.arange(t) + 3 * shift) % PERIOD]
    flags = np.zeros((2, len(shift), t), dtype=bool)
    for _ in range(draw(integers(1 if batch else 0, 3))):
        place = (draw(integers(0, t - 1)) + 7 * shift) % t
        flags[(draw(integers(0, 1)) + shift) % 2, shift, place] = True
    return numbers, flags


def permutations(size: int) -> Strategy[Array]:
    """int64 [size]: a reordering; the simplest leaves everything in place."""

    def draw(source: Source) -> Array:
        keys: Sequence[int] = source.octets(size)
        return np.argsort(np.array(list(keys)), kind="stable")

    return Strategy(draw)

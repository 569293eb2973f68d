"""Expectations: what a check says of an answer, in words that a learner can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Unmet(AssertionError):
    """An answer is not as the promise says. The message is for the learner.

    `location` says what the sentence is about, such as `advantages[0]`, without any number in it.
    """

    def __init__(self, message: str, location: str = "") -> None:
        super().__init__(message)
        self.location = location


class SubmissionRaised(Exception):
    """The submission raised instead of answering; its own frames come along."""

    def __init__(
        self, function: str, types: list[str], message: str, frames: list[tuple[int, str]]
    ) -> None:
        super().__init__(f"{types[0]}: {message}" if message else types[0])
        self.function = function
        self.types = types
        self.message = message
        self.frames = frames

    @property
    def unwritten(self) -> bool:
        """Whether the function is still a stub."""
        return "NotImplementedError" in self.types


def expect(claim: bool, message: str, location: str = "") -> None:
    """Fail with `message` unless `claim` holds. Prefer the other functions; they say more."""
    if not claim:
        raise Unmet(message, location or message)


def expect_shape(name: str, actual: Any, shape: tuple[int, ...]) -> None:
    """The answer is a tensor of this shape; () stands for a scalar."""
    if not isinstance(actual, np.ndarray):
        wanted = f"a tensor of shape {list(shape)}" if shape else "a scalar tensor"
        raise Unmet(f"{name} should be {wanted}; yours is {described(actual)}", name)
    if actual.shape != tuple(shape):
        raise Unmet(f"{name} should have shape {list(shape)}; yours has {list(actual.shape)}", name)


def expect_dtype(name: str, actual: Any, dtype: str) -> None:
    """The answer is a tensor of this dtype."""
    if not isinstance(actual, np.ndarray):
        raise Unmet(f"{name} should be a {dtype} tensor; yours is {described(actual)}", name)
    if actual.dtype.name != dtype:
        raise Unmet(f"{name} should have dtype {dtype}; yours has {actual.dtype.name}", name)


def expect_close(
    name: str,
    actual: Any,
    expected: Any,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    scale: float | None = None,
) -> None:
    """Every entry agrees with the oracle's, and the shapes are equal: nothing is broadcast.

    An entry may be off by `atol + rtol * scale`, where `scale` is the largest size among the
    expected entries unless given: float32 sums of numbers of that size cannot do better. A number
    may be compared with a number, a tensor with an array.
    """
    wanted = np.asarray(expected, dtype=np.float64)
    if isinstance(actual, np.generic):  # a check's own arithmetic made a scalar of an array
        actual = np.asarray(actual)
    if type(actual) in (int, float) and not isinstance(expected, np.ndarray):
        actual = np.asarray(_as_float(actual))
    expect_shape(name, actual, wanted.shape)
    finite = np.isfinite(wanted)
    size = scale if scale is not None else float(np.max(np.abs(wanted[finite]), initial=0.0))
    with np.errstate(all="ignore"):
        got = actual.astype(np.float64)
        near = finite & (np.abs(got - wanted) <= atol + rtol * size)
    wrong = ~(near | (got == wanted))
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = name + (f"[{', '.join(map(str, index))}]" if index else "")
        should, yours = number(wanted[index]), number(got[index])
        if float(should) == float(yours):
            should, yours = repr(float(wanted[index])), repr(float(got[index]))
        raise Unmet(f"{place} should be {should}; yours is {yours}", name)


def expect_equal(name: str, actual: Any, expected: Any) -> None:
    """The answer is exactly this: a bool, a whole number, a text, or a tensor or list of such."""
    if isinstance(expected, np.ndarray):
        expect_shape(name, actual, expected.shape)
        wrong = np.argwhere(actual != expected)
        if len(wrong):
            index = tuple(int(i) for i in wrong[0])
            place = name + (f"[{', '.join(map(str, index))}]" if index else "")
            raise Unmet(f"{place} should be {expected[index]}; yours is {actual[index]}", name)
    elif not _equal(actual, expected):
        raise Unmet(f"{name} should be {expected!r}; yours is {described(actual)}", name)


def _equal(one: Any, other: Any) -> bool:
    """Exactly equal, types included, also of what is inside."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _as_float(value: float) -> float:
    """inf where a whole number is too large."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def expect_no_gradient(name: str, gradient: Any) -> None:
    """Nothing flows: the gradient is absent or zero everywhere."""
    if isinstance(gradient, dict):
        for part, value in gradient.items():
            expect_no_gradient(f"{name}.{part}", value)
    elif gradient is not None and np.any(gradient):
        raise Unmet(f"no gradient should reach {name}; yours is {number(np.abs(gradient).max())}")


@contextmanager
def expect_raises(
    kind: type[Exception], *, naming: str = "", shapes: tuple[list[int], list[int]] | None = None
) -> Iterator[None]:
    """The call inside raises this exception, and its message has the word `naming`.

    Where `shapes` are given, the one that was expected and the one that came, the numbers of both
    occur in the message, too, in whatever words.
    """
    try:
        yield
    except SubmissionRaised as raised:
        if kind.__name__ not in raised.types:
            raise
        if naming and not re.search(rf"(?<!\w){re.escape(naming)}(?!\w)", raised.message):
            raise Unmet(
                f"the message of the {kind.__name__} should name `{naming}`; "
                f"yours is {raised.message!r}"
            ) from None
        said = {int(digits) for digits in re.findall(r"\d+", raised.message)}
        for shape, what in zip(shapes, ("was expected", "came"), strict=True) if shapes else ():
            expect(
                said.issuperset(shape),
                f"the {kind.__name__} should say that the shape {shape} {what}; "
                f"yours is {raised.message!r}",
                f"the shape that {what}",
            )
        return
    about = f" that names `{naming}`" if naming else ""
    raise Unmet(f"this call should raise a {kind.__name__}{about}; yours returned")


def described(value: Any) -> str:
    """What a returned value is, in a few words."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"a tensor of shape {list(value.shape)} and dtype {value.dtype.name}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    if not isinstance(value, (bool, int, float, str)):
        return text  # an object that lives in the worker
    return f"the {type(value).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def number(value: Any) -> str:
    """A number as a person would write it: four digits after the point are enough to see."""
    x = float(value)
    if x == int(x) if np.isfinite(x) and abs(x) < 1e6 else False:
        return f"{x:.1f}"
    if np.isfinite(x) and 1e-3 <= abs(x) < 1e6:
        return f"{x:.4f}".rstrip("0").rstrip(".")
    return f"{x:.4g}"

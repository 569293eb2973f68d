"""Scale rewards and add them up."""

import torch
from torch import Tensor


def scale(rewards: Tensor, *, factor: float) -> Tensor:
    """Each reward times the factor.

    Args:
        rewards: [T] float, reward units.
        factor: no unit.

    Returns:
        [T] float, reward units.
    """
    raise NotImplementedError


def total(rewards: Tensor) -> Tensor:
    """The sum of the rewards.

    Args:
        rewards: [T] float, reward units.

    Returns:
        [] float, reward units.

    Raises:
        ValueError: `rewards` is not [T].
    """
    raise NotImplementedError


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """The squared error; no gradient reaches the target.

    Args:
        prediction: [] float.
        target: [] float.

    Returns:
        [] float.
    """
    raise NotImplementedError


class Counter:
    """Counts calls.

    Args:
        start: how many there have been.
    """

    def __init__(self, start: int) -> None:
        raise NotImplementedError

    def step(self) -> int:
        """Count one call; the count so far."""
        raise NotImplementedError

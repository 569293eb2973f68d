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
    # BEGIN SOLUTION
    scaled_rewards = rewards.detach() * factor
    return scaled_rewards
    # END SOLUTION


def total(rewards: Tensor) -> Tensor:
    """The sum of the rewards.

    Args:
        rewards: [T] float, reward units.

    Returns:
        [] float, reward units.

    Raises:
        ValueError: `rewards` is not [T].
    """
    # BEGIN SOLUTION
    if rewards.ndim != 1:
        raise ValueError(f"rewards must be [T], got {list(rewards.shape)}")
    return torch.sum(rewards)
    # END SOLUTION


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """The squared error; no gradient reaches the target.

    Args:
        prediction: [] float.
        target: [] float.

    Returns:
        [] float.
    """
    # BEGIN SOLUTION
    return (prediction - target.detach()) ** 2
    # END SOLUTION


class Counter:
    """Counts calls.

    Args:
        start: how many there have been.
    """

    def __init__(self, start: int) -> None:
        # BEGIN SOLUTION
        self.count = start
        # END SOLUTION

    def step(self) -> int:
        """Count one call; the count so far."""
        # BEGIN SOLUTION
        self.count += 1
        return self.count
        # END SOLUTION

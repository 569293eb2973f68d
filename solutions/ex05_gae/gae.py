"""Advantages from a critic, somewhere between one-step and whole-return estimates.

Time is the last axis everywhere: `[T]` for one rollout, `[B, T]` for several side by side. A
rollout may hold several episodes. Flags and values of step t belong to the transition from s[t] to
s[t + 1]; where an episode ends, s[t + 1] is its final observation, never that of the reset.

T and B are at least 1. The floats of one call are all float32 or all float64, and whole numbers
int64.
"""

import torch
from torch import Tensor


def td_errors(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    *,
    discount: float,
) -> Tensor:
    """How much better each step went than the critic expected.

        delta[t] = r[t] + discount * V(s[t + 1]) * (1 - terminated[t]) - V(s[t])

    Truncated steps need no care: `next_values` holds the value of the final observation there.
    Source: Sutton and Barto, Reinforcement Learning (2018), equation 6.5.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        values: same shape, float, V(s[t]) in reward units.
        next_values: same shape, float, V(s[t + 1]) in reward units; after a terminated step a
            finite number that means nothing.
        terminated: same shape, bool; the episode ended in a terminal state at this step.
        discount: from 0 to 1, both included; no unit.

    Returns:
        Same shape, dtype of `values`, in reward units. Float64 has all its digits. Carries no
        gradient.

    Raises:
        ValueError: the shape of an argument differs from that of `rewards`. The message names the
            argument, and has in numbers the shape that was expected and the one that came.
    """
    # BEGIN SOLUTION
    _expect_shape(rewards.shape, values=values, next_values=next_values, terminated=terminated)
    bootstrap = next_values.masked_fill(terminated, 0.0)
    return (rewards + discount * bootstrap - values).detach()
    # END SOLUTION


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
    lam: float,
) -> Tensor:
    """How much better each action was than the policy's average, by the critic's account.

        A[t] = delta[t] + discount * lam * (1 - cut[t]) * A[t + 1]

    `cut` is terminated or truncated; a step that is both counts as terminated. The last step of
    the rollout bootstraps from `next_values` like any other, and nothing follows it. The
    advantages are not normalised.
    Source: Schulman et al., Generalized Advantage Estimation (arXiv:1506.02438), equation 16.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        values: same shape, float, V(s[t]) in reward units.
        next_values: same shape, float, V(s[t + 1]) in reward units; after a terminated step a
            finite number that means nothing.
        terminated: same shape, bool; the episode ended in a terminal state at this step.
        truncated: same shape, bool; the episode was cut off at this step, by a time limit say.
        discount: from 0 to 1, both included; no unit.
        lam: lambda, from 0 (TD errors) to 1 (returns minus values), both included; no unit.

    Returns:
        Same shape, dtype of `values`, in reward units. Float64 has all its digits. Carries no
        gradient.

    Raises:
        ValueError: the shape of an argument differs from that of `rewards`. The message names the
            argument, and has in numbers the shape that was expected and the one that came.
    """
    # BEGIN SOLUTION
    _expect_shape(rewards.shape, truncated=truncated)
    deltas = td_errors(rewards, values, next_values, terminated, discount=discount)
    cut = terminated | truncated
    advantages = torch.zeros_like(deltas)
    following = torch.zeros_like(deltas[..., 0])
    for t in reversed(range(deltas.shape[-1])):
        following = deltas[..., t] + discount * lam * following.masked_fill(cut[..., t], 0.0)
        advantages[..., t] = following
    return advantages
    # END SOLUTION


def value_targets(advantages: Tensor, values: Tensor) -> Tensor:
    """What the critic is regressed on: the lambda-return of each step.

        target[t] = A[t] + V(s[t])

    `values` are those that `advantages` were computed from, and `advantages` are as `gae` returns
    them: a normalised advantage has lost the unit of a value.
    Source: Sutton and Barto, Reinforcement Learning (2018), section 12.1.

    Args:
        advantages: [T] or [B, T] float, in reward units.
        values: same shape, float, V(s[t]) in reward units.

    Returns:
        Same shape, dtype of `values`, in reward units. Float64 has all its digits. Carries no
        gradient.

    Raises:
        ValueError: the shape of `values` differs from that of `advantages`. The message names
            `values`, and has both shapes in numbers.
    """
    # BEGIN SOLUTION
    _expect_shape(advantages.shape, values=values)
    return (advantages + values).detach()
    # END SOLUTION


# BEGIN SOLUTION
def _expect_shape(shape: torch.Size, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} should have shape {list(shape)}, got {list(tensor.shape)}")


# END SOLUTION

"""Discounted returns: what a step was worth, given all that came after it.

Time is the last axis of every tensor. Nothing here learns; later exercises use these numbers as
targets and as weights, so none of them carries gradient.

Floats are float32 or float64, and whole numbers int64. Float64 is kept to all its digits; whole
rewards may be rounded to float32. T and B are at least 1; a rollout may have hundreds of steps, at
any discount.
"""

import torch
from torch import Tensor


def discounted_return(rewards: Tensor, *, discount: float) -> Tensor:
    """The return of one whole episode, seen from its first step.

        G = sum over t of discount^t * r[t],   with 0^0 = 1

    Source: Sutton and Barto (2018), equation 3.8.

    Args:
        rewards: [T] or [B, T] float or int, in reward units. Every row is one complete episode.
        discount: from 0 to 1, both included; no unit.

    Returns:
        [] or [B] float, in reward units, without gradient. The dtype of `rewards`; integers give
        float32.
    """
    # BEGIN SOLUTION
    rewards = rewards.detach()
    if not rewards.is_floating_point():
        rewards = rewards.float()
    weights = discount ** torch.arange(rewards.shape[-1], dtype=rewards.dtype)
    return (rewards * weights).sum(dim=-1)
    # END SOLUTION


def rewards_to_go(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
) -> Tensor:
    """The return from every step of a rollout that may hold several episodes.

        G[t] = r[t] + discount * 0                if terminated[t]
               r[t] + discount * next_values[t]   else if truncated[t], or t is the last step
               r[t] + discount * G[t + 1]         otherwise

    With `next_values` zero, or an episode that terminates, this is the Monte-Carlo return.
    Source: Sutton and Barto (2018), equation 3.9; Pardo et al. (arXiv:1712.00378) for truncation.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        next_values: as `rewards`, float, in reward units: V(s[t+1]). Where the episode was cut it
            is the value of its final observation, never of the first one after the reset. After a
            terminated step it is a finite number that means nothing.
        terminated: as `rewards`, bool: step t ended the episode. Wins where both flags are set.
        truncated: as `rewards`, bool: step t was the last before the episode was cut off.
        discount: from 0 to 1, both included; no unit.

    Returns:
        The shape of `rewards`, the dtype of `next_values` even where `rewards` have another, in
        reward units, without gradient.

    Raises:
        ValueError: a shape differs from that of `rewards`. The message names the argument, and
            has in numbers the shape that was expected and the one that came.
    """
    # BEGIN SOLUTION
    rewards, bootstrap, ends = _prepare(rewards, next_values, terminated, truncated)
    returns = torch.empty_like(bootstrap)
    after = bootstrap[..., -1]
    for t in reversed(range(rewards.shape[-1])):
        after = torch.where(ends[..., t], bootstrap[..., t], after)
        after = rewards[..., t] + discount * after
        returns[..., t] = after
    return returns
    # END SOLUTION


def n_step_returns(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
    n: int,
) -> Tensor:
    """The return from every step, counting at most n rewards before a value stands in for the rest.

        G[t] = r[t] + discount * r[t+1] + ... + discount^(m-1) * r[t+m-1]
               + discount^m * next_values[t+m-1]

    m is n, or less where a step before that is terminated, truncated or the last of the rollout.
    After a terminated step there is no second line.
    Source: Sutton and Barto (2018), equation 7.1.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        next_values: as `rewards`, float, in reward units: V(s[t+1]), as in `rewards_to_go`.
        terminated: as `rewards`, bool: step t ended the episode. Wins where both flags are set.
        truncated: as `rewards`, bool: step t was the last before the episode was cut off.
        discount: from 0 to 1, both included; no unit.
        n: at least 1, in steps. May be larger than T.

    Returns:
        The shape of `rewards`, the dtype of `next_values` even where `rewards` have another, in
        reward units, without gradient.

    Raises:
        ValueError: n is below 1, and the message names `n`; or a shape differs from that of
            `rewards`, as in `rewards_to_go`.
    """
    # BEGIN SOLUTION
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    rewards, bootstrap, ends = _prepare(rewards, next_values, terminated, truncated)
    horizon = min(n, rewards.shape[-1])
    returns = rewards + discount * bootstrap
    for _ in range(horizon - 1):
        one_later = returns.roll(-1, dims=-1)
        returns = rewards + discount * torch.where(ends, bootstrap, one_later)
    return returns
    # END SOLUTION


# BEGIN SOLUTION
def _prepare(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards as floats, the value after each step, and the steps at which a sum must stop."""
    others = {"next_values": next_values, "terminated": terminated, "truncated": truncated}
    for name, tensor in others.items():
        if tensor.shape != rewards.shape:
            shapes = f"{list(rewards.shape)} like rewards, got {list(tensor.shape)}"
            raise ValueError(f"{name} must have shape {shapes}")
    bootstrap = next_values.detach().masked_fill(terminated, 0.0)
    ends = terminated | truncated
    ends[..., -1] = True  # the rollout stops here, so nothing later can be added
    return rewards.detach().to(bootstrap.dtype), bootstrap, ends


# END SOLUTION

"""Recursion over halves: the second half first, its first return bootstraps the first half."""

import torch
from torch import Tensor


def discounted_return(rewards: Tensor, *, discount: float) -> Tensor:
    length = rewards.shape[-1]
    if length == 1:
        only = rewards[..., 0].detach().clone()
        return only if only.is_floating_point() else only.to(torch.get_default_dtype())
    half = length // 2
    head = discounted_return(rewards[..., :half], discount=discount)
    tail = discounted_return(rewards[..., half:], discount=discount)
    return head + discount**half * tail


def rewards_to_go(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
) -> Tensor:
    _same_shapes(rewards, next_values=next_values, terminated=terminated, truncated=truncated)
    next_values = next_values.detach()
    rewards = rewards.detach().to(next_values.dtype)
    length = rewards.shape[-1]
    if length == 1:
        return rewards + discount * next_values.masked_fill(terminated, 0)
    half = length // 2
    late = rewards_to_go(
        *(x[..., half:] for x in (rewards, next_values, terminated, truncated)), discount=discount
    )
    cut = truncated[..., half - 1 : half]
    joint = torch.where(cut, next_values[..., half - 1 : half], late[..., :1])
    early = rewards_to_go(
        rewards[..., :half],
        torch.cat([next_values[..., : half - 1], joint], dim=-1),
        terminated[..., :half],
        truncated[..., :half],
        discount=discount,
    )
    return torch.cat([early, late], dim=-1)


def n_step_returns(
    rewards: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
    n: int,
) -> Tensor:
    if n < 1:
        raise ValueError(f"n = {n}, but at least one step is needed")
    _same_shapes(rewards, next_values=next_values, terminated=terminated, truncated=truncated)
    length = rewards.shape[-1]
    windows = []
    for t in range(length):
        window = slice(t, min(t + n, length))
        parts = (x[..., window] for x in (rewards, next_values, terminated, truncated))
        windows.append(rewards_to_go(*parts, discount=discount)[..., 0])
    return torch.stack(windows, dim=-1)


def _same_shapes(rewards: Tensor, **others: Tensor) -> None:
    for name, tensor in others.items():
        if tensor.shape != rewards.shape:
            raise ValueError(f"{name} is {list(tensor.shape)}, expected {list(rewards.shape)}")

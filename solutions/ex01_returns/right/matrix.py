"""A T x T matrix of discounts, masked to the steps that each return may see."""

import torch


def discounted_return(rewards, *, discount):
    with torch.no_grad():
        wide = rewards if rewards.is_floating_point() else rewards.to(torch.get_default_dtype())
        powers = torch.tensor([discount**t for t in range(wide.shape[-1])], dtype=wide.dtype)
        return wide @ powers


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    return _returns(rewards, next_values, terminated, truncated, discount, None)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n < 1:
        raise ValueError("`n` must be positive, got " + str(n))
    return _returns(rewards, next_values, terminated, truncated, discount, n)


@torch.no_grad()
def _returns(rewards, next_values, terminated, truncated, discount, n):
    _demand_shape("next_values", next_values, rewards)
    _demand_shape("terminated", terminated, rewards)
    _demand_shape("truncated", truncated, rewards)
    dtype = next_values.dtype
    length = rewards.shape[-1]
    step = torch.arange(length)
    distance = step[None, :] - step[:, None]
    ends = terminated | truncated
    episode = ends.long().cumsum(-1) - ends.long()
    seen = (episode[..., :, None] == episode[..., None, :]) & (distance >= 0)
    if n is not None:
        seen &= distance < n
    weights = discount ** distance.clamp(min=0).to(dtype) * seen
    stops = (ends | (step == length - 1))[..., None, :].expand(seen.shape)
    if n is not None:
        stops = stops | (distance == n - 1)
    beyond = discount * (next_values * ~terminated)
    inside = (weights @ rewards.to(dtype)[..., :, None])[..., 0]
    return inside + ((weights * stops) @ beyond[..., :, None])[..., 0]


def _demand_shape(name, tensor, rewards):
    if tensor.shape != rewards.shape:
        raise ValueError(f"{name} has shape {tensor.shape} where {rewards.shape} was expected")

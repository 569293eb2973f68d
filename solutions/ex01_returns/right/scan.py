"""A parallel scan: every step is an affine map, and maps compose in log2(T) rounds."""

import torch
from torch.nn.functional import pad


def _pad(x, by, value):
    return pad(x[..., by:], (0, by), value=value)


def discounted_return(rewards, *, discount):
    x = rewards.detach().clone()
    if x.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = x.to(torch.get_default_dtype())
    by, factor = 1, discount
    while by < x.shape[-1]:
        x = x + factor * _pad(x, by, 0.0)
        by, factor = 2 * by, factor * factor
    return x[..., 0].clone()


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    offset, slope = _maps(rewards, next_values, terminated, truncated, discount)
    by = 1
    while by < offset.shape[-1]:
        offset, slope = offset + slope * _pad(offset, by, 0.0), slope * _pad(slope, by, 1.0)
        by *= 2
    return offset


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n < 1:
        raise ValueError(f"invalid n={n}: must be at least 1")
    offset, slope = _maps(rewards, next_values, terminated, truncated, discount)
    total, weight = offset, slope
    reach = min(n, offset.shape[-1])
    for by in range(1, reach):
        total = total + weight * _pad(offset, by, 0.0)
        weight = weight * _pad(slope, by, 1.0)
    return total + weight * _pad(next_values.detach(), reach - 1, 0.0)


def _maps(rewards, next_values, terminated, truncated, discount):
    expected = rewards.shape
    for name, tensor in {
        "next_values": next_values,
        "terminated": terminated,
        "truncated": truncated,
    }.items():
        if tensor.shape != expected:
            raise ValueError(f"wrong shape for {name}: {tensor.shape} instead of {expected}")
    cut = terminated | truncated
    cut[..., -1] = True
    with torch.no_grad():
        slope = discount * (~cut).to(next_values.dtype)
        value = torch.where(terminated, torch.zeros_like(next_values), next_values)
        return rewards.to(next_values.dtype) + discount * value * cut, slope

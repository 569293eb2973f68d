"""numpy in float64 inside, backwards with one accumulator for each row, cast back at the end."""

import numpy as np
import torch


def _array(tensor):
    return tensor.detach().cpu().numpy().astype(np.float64)


def _check(rewards, next_values, terminated, truncated):
    for name, tensor in zip(
        ("next_values", "terminated", "truncated"),
        (next_values, terminated, truncated),
        strict=True,
    ):
        if list(tensor.shape) != list(rewards.shape):
            raise ValueError(
                f"expected {name} to have shape {list(rewards.shape)}, got {list(tensor.shape)}"
            )


def discounted_return(rewards, *, discount):
    dtype = rewards.dtype if rewards.dtype.is_floating_point else torch.get_default_dtype()
    powers = np.power(float(discount), np.arange(rewards.shape[-1]))
    return torch.tensor((_array(rewards) * powers).sum(-1), dtype=dtype)


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    _check(rewards, next_values, terminated, truncated)
    r, v = _array(rewards), _array(next_values)
    alive = 1.0 - _array(terminated)
    keep = alive * (1.0 - _array(truncated))
    result = np.zeros_like(r)
    carry = v[..., -1]
    for t in range(r.shape[-1] - 1, -1, -1):
        ahead = keep[..., t] * carry + (alive - keep)[..., t] * v[..., t]
        carry = r[..., t] + discount * ahead
        result[..., t] = carry
    return torch.tensor(result, dtype=next_values.dtype)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n < 1:
        raise ValueError(f"n is {n}; it must be >= 1")
    _check(rewards, next_values, terminated, truncated)
    r, v = _array(rewards), _array(next_values)
    alive = 1.0 - _array(terminated)
    stops = 1.0 - alive * (1.0 - _array(truncated))
    stops[..., -1] = 1.0
    result = r + discount * alive * v
    for _ in range(min(n, r.shape[-1]) - 1):
        shifted = np.concatenate([result[..., 1:], result[..., :1]], axis=-1)
        result = r + discount * (stops * alive * v + (1.0 - stops) * shifted)
    return torch.tensor(result, dtype=next_values.dtype)

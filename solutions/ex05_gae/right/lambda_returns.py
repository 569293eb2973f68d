"""The other way round: lambda-returns by their own recursion, then the values are taken off.

    G[t] = r[t] + discount * ((1 - lam) * V(s[t + 1]) + lam * G[t + 1])

Where nothing follows, G[t + 1] is the bootstrap itself.
"""

import numpy as np
import torch


def _arrays(names, tensors):
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.shape != tensors[0].shape:
            raise ValueError(
                f"{name} {tuple(tensor.shape)} != {tuple(tensors[0].shape)} {names[0]}"
            )
    return [tensor.detach().numpy() for tensor in tensors]


def td_errors(rewards, values, next_values, terminated, *, discount):
    names = ["rewards", "values", "next_values", "terminated"]
    r, v, v_next, end = _arrays(names, [rewards, values, next_values, terminated])
    errors = r + discount * np.where(end, 0.0, v_next) - v
    return torch.from_numpy(errors.astype(v.dtype))


def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    names = ["rewards", "values", "next_values", "terminated", "truncated"]
    r, v, v_next, end, limit = _arrays(names, [rewards, values, next_values, terminated, truncated])
    bootstrap = np.where(end, 0.0, v_next)
    returns = np.empty(r.shape, dtype=v.dtype)
    following = bootstrap[..., -1]
    for t in range(r.shape[-1] - 1, -1, -1):
        following = np.where(end[..., t] | limit[..., t], bootstrap[..., t], following)
        mixed = (1 - lam) * bootstrap[..., t] + lam * following
        following = r[..., t] + discount * mixed
        returns[..., t] = following
    return torch.from_numpy(returns - v)


def value_targets(advantages, values):
    a, v = _arrays(["advantages", "values"], [advantages, values])
    return torch.from_numpy(a + v)

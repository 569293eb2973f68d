"""Each episode is run backwards through the filter y[n] = x[n] + decay * y[n - 1]."""

from itertools import pairwise

import numpy as np
import torch
from scipy.signal import lfilter


def _same(rewards, **rest):
    for name in rest:
        if rest[name].shape != rewards.shape:
            raise ValueError(f"`{name}` has shape {rest[name].shape}, expected {rewards.shape}")


def td_errors(rewards, values, next_values, terminated, *, discount):
    _same(rewards, values=values, next_values=next_values, terminated=terminated)
    with torch.no_grad():
        return rewards + discount * torch.where(terminated, 0, next_values) - values


def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    _same(rewards, truncated=truncated)
    deltas = td_errors(rewards, values, next_values, terminated, discount=discount)
    flat = deltas.reshape(-1, deltas.shape[-1]).numpy()
    ends = torch.logical_or(terminated, truncated).reshape(flat.shape).numpy()
    advantages = np.empty_like(flat)
    for row in range(len(flat)):
        borders = [0, *(np.flatnonzero(ends[row]) + 1), flat.shape[1]]
        for start, stop in pairwise(borders):
            if start < stop:
                segment = flat[row, start:stop][::-1]
                advantages[row, start:stop] = lfilter([1.0], [1.0, -discount * lam], segment)[::-1]
    return torch.from_numpy(advantages).reshape(deltas.shape)


def value_targets(advantages, values):
    _same(advantages, values=values)
    return advantages.detach() + values.detach()

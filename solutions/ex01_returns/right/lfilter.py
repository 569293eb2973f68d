"""A recursive filter from scipy, run backwards over each episode."""

import numpy as np
import torch
from scipy.signal import lfilter


def discounted_return(rewards, *, discount):
    array = rewards.detach().numpy()
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    filtered = lfilter([1.0], [1.0, -discount], array[..., ::-1], axis=-1)
    return torch.as_tensor(np.asarray(filtered[..., -1], dtype=array.dtype))


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    def filtered(segment, value):
        return lfilter([1.0], [1.0, -discount], segment[::-1], zi=[discount * value])[0][::-1]

    return _by_episode(rewards, next_values, terminated, truncated, filtered)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if not n >= 1:
        raise ValueError(f"expected n >= 1, got n = {n}")

    values = None

    def filtered(segment, value):
        taps = discount ** np.arange(n)
        sums = lfilter(taps, [1.0], segment[::-1])[::-1].copy()
        start = filtered.start
        for t in range(len(segment)):
            if t + n < len(segment):
                sums[t] += discount**n * values[start + t + n - 1]
            else:
                sums[t] += discount ** (len(segment) - t) * value
        return sums

    flat = next_values.detach().reshape(-1).numpy().astype(np.float64)
    values = flat
    return _by_episode(rewards, next_values, terminated, truncated, filtered)


def _by_episode(rewards, next_values, terminated, truncated, function):
    given = dict(next_values=next_values, terminated=terminated, truncated=truncated)
    for name, tensor in given.items():
        if tuple(tensor.shape) != tuple(rewards.shape):
            raise ValueError(f"{name} must be {tuple(rewards.shape)}, not {tuple(tensor.shape)}")
    length = rewards.shape[-1]
    r = rewards.detach().reshape(-1).numpy().astype(np.float64)
    v = next_values.detach().reshape(-1).numpy().astype(np.float64)
    terminated, truncated = terminated.reshape(-1).numpy(), truncated.reshape(-1).numpy()
    stops = terminated | truncated | (np.arange(len(r)) % length == length - 1)
    out = np.zeros(len(r))
    start = 0
    for stop in np.flatnonzero(stops):
        function.start = start
        value = 0.0 if terminated[stop] else v[stop]
        out[start : stop + 1] = function(r[start : stop + 1], value)
        start = stop + 1
    return torch.from_numpy(out).to(next_values.dtype).reshape(rewards.shape)

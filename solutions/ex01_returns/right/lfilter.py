"""Filters from scipy, run backwards over each episode."""

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
    def of_episode(r, v):
        return lfilter([1.0], [1.0, -discount], r[::-1], zi=[discount * v[-1]])[0][::-1]

    return by_episode(of_episode, rewards, next_values, terminated, truncated)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if not n >= 1:
        raise ValueError(f"expected n >= 1, got n = {n}")

    def of_episode(r, v):
        sums = lfilter(float(discount) ** np.arange(n), [1.0], r[::-1])[::-1]
        last = np.minimum(np.arange(len(r)) + n, len(r)) - 1
        return sums + discount ** (last - np.arange(len(r)) + 1.0) * v[last]

    return by_episode(of_episode, rewards, next_values, terminated, truncated)


def by_episode(function, rewards, next_values, terminated, truncated):
    given = {"next_values": next_values, "terminated": terminated, "truncated": truncated}
    for name, tensor in given.items():
        if tuple(tensor.shape) != tuple(rewards.shape):
            raise ValueError(f"{name} must be {tuple(rewards.shape)}, not {tuple(tensor.shape)}")
    r, v, over, cut = (
        np.array(tensor.detach().reshape(-1))
        for tensor in (rewards.double(), next_values.double(), terminated, truncated)
    )
    v[over] = 0.0
    row_ends = np.arange(1, len(r) + 1) % rewards.shape[-1] == 0
    out, start = np.zeros(len(r)), 0
    for stop in np.flatnonzero(over | cut | row_ends) + 1:
        out[start:stop] = function(r[start:stop], v[start:stop])
        start = stop
    return torch.from_numpy(out).to(next_values.dtype).reshape(rewards.shape)

"""Divide and conquer: the later half first, then its first advantage flows into the earlier one."""

import torch


def _matched(shape, **tensors):
    for name, tensor in tensors.items():
        if list(tensor.shape) != list(shape):
            raise ValueError(f"{name} is {list(tensor.shape)}; expected {list(shape)}")


def td_errors(rewards, values, next_values, terminated, *, discount):
    _matched(rewards.shape, values=values, next_values=next_values, terminated=terminated)
    rewards, values, next_values = rewards.detach(), values.detach(), next_values.detach()
    return rewards + discount * next_values * terminated.logical_not() - values


def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    _matched(rewards.shape, truncated=truncated)
    deltas = td_errors(rewards, values, next_values, terminated, discount=discount)
    decays = discount * lam * (1 - (terminated | truncated).to(deltas.dtype))
    return _solve(deltas, decays)[0]


def _solve(deltas, decays):
    """Advantages of a chunk that nothing follows, and how much of what follows each would take."""
    length = deltas.shape[-1]
    if length == 1:
        return deltas, decays
    middle = length // 2
    early, through_early = _solve(deltas[..., :middle], decays[..., :middle])
    late, through_late = _solve(deltas[..., middle:], decays[..., middle:])
    joined = early + through_early * late[..., :1]
    through = through_early * through_late[..., :1]
    return torch.cat([joined, late], -1), torch.cat([through, through_late], -1)


def value_targets(advantages, values):
    _matched(advantages.shape, values=values)
    return (values + advantages).detach()

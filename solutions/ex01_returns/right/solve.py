"""Bellman's equation as a linear system: returns = base + step @ returns."""

import torch


def discounted_return(rewards, *, discount):
    zeros = torch.zeros(rewards.shape, dtype=torch.get_default_dtype())
    if rewards.is_floating_point():
        zeros = zeros.to(rewards.dtype)
    flags = torch.zeros(rewards.shape, dtype=torch.bool)
    return rewards_to_go(rewards, zeros, flags, flags, discount=discount)[..., 0].clone()


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    base, step, _ = _system(rewards, next_values, terminated, truncated, discount)
    eye = torch.eye(base.shape[-1], dtype=base.dtype)
    return torch.linalg.solve(eye - step, base.unsqueeze(-1)).squeeze(-1)


def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n < 1:
        raise ValueError(f"need n >= 1 but n == {n}")
    base, step, guess = _system(rewards, next_values, terminated, truncated, discount)
    returns = guess
    for _ in range(1, n):
        returns = base + (step @ returns.unsqueeze(-1)).squeeze(-1)
    return returns


def _system(rewards, next_values, terminated, truncated, discount):
    names = ["next_values", "terminated", "truncated"]
    for name, tensor in zip(names, [next_values, terminated, truncated], strict=True):
        if tensor.shape != rewards.shape:
            raise ValueError(f"{name}.shape is {tensor.shape}; it should be {rewards.shape}")
    r, v = rewards.detach().to(next_values.dtype), next_values.detach()
    over, cut = terminated.to(v.dtype), truncated.to(v.dtype)
    goes_on = (1 - over) * (1 - cut)
    last = torch.zeros_like(v)
    last[..., -1] = 1
    beyond = discount * (1 - over) * v
    base = r + torch.where((goes_on == 1) & (last == 0), torch.zeros_like(v), beyond)
    step = torch.diag_embed(discount * goes_on[..., :-1], offset=1)
    return base, step, r + beyond

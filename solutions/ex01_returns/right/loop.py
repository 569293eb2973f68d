"""Forward sums with two indices, one step of every row at a time."""

import torch


def discounted_return(rewards, *, discount):
    rewards = rewards.detach()
    if not torch.is_floating_point(rewards):
        rewards = rewards.float()
    total = torch.zeros_like(rewards[..., 0])
    factor = 1.0
    for t in range(rewards.shape[-1]):
        total = total + factor * rewards[..., t]
        factor *= discount
    return total


def rewards_to_go(rewards, next_values, terminated, truncated, *, discount):
    steps = rewards.shape[-1] if rewards.dim() else 1
    return n_step_returns(rewards, next_values, terminated, truncated, discount=discount, n=steps)


@torch.no_grad()
def n_step_returns(rewards, next_values, terminated, truncated, *, discount, n):
    if n <= 0:
        raise ValueError(f"n should be 1 or more, not {n}")
    for name, value in [
        ("next_values", next_values),
        ("terminated", terminated),
        ("truncated", truncated),
    ]:
        if value.shape != rewards.shape:
            raise ValueError(f"{name}: expected {tuple(rewards.shape)}, got {tuple(value.shape)}")
    returns = torch.zeros_like(next_values)
    length = rewards.shape[-1]
    for t in range(length):
        running = torch.ones_like(terminated[..., t])
        factor = 1.0
        for k in range(t, min(t + n, length)):
            returns[..., t] += factor * rewards[..., k] * running
            factor *= discount
            stop = truncated[..., k] | (k == t + n - 1) | (k == length - 1)
            use_value = running & stop & ~terminated[..., k]
            returns[..., t] += factor * next_values[..., k] * use_value
            running = running & ~stop & ~terminated[..., k]
    return returns

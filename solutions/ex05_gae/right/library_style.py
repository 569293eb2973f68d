"""The habits of RL libraries: time first, float masks, the value of the next row of the buffer.

Only where an episode was cut does `next_values` count; elsewhere V(s[t + 1]) is read from `values`,
and the bootstrap of a truncated step is added to its reward.
"""

import torch


def validate(rewards, **buffers):
    for key, buffer in buffers.items():
        if buffer.size() != rewards.size():
            raise ValueError(f"buffer {key}: want {rewards.size()}, have {buffer.size()}")


@torch.no_grad()
def td_errors(rewards, values, next_values, terminated, *, discount):
    validate(rewards, values=values, next_values=next_values, terminated=terminated)
    next_nonterminal = 1.0 - terminated.to(values.dtype)
    return rewards + discount * next_values * next_nonterminal - values


@torch.no_grad()
def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    validate(
        rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
        truncated=truncated,
    )
    swap = (lambda x: x.transpose(0, 1)) if rewards.ndim == 2 else (lambda x: x)
    num_steps = rewards.shape[-1]
    rewards = swap(rewards).to(values.dtype).clone()
    values, next_values = swap(values), swap(next_values)
    time_limit = swap(truncated & ~terminated)
    rewards[time_limit] += discount * next_values[time_limit]
    next_non_terminal = 1.0 - swap(terminated | truncated).to(values.dtype)
    advantages = torch.zeros_like(rewards)
    last_gae_lam = 0
    for step in reversed(range(num_steps)):
        following = next_values[-1] if step == num_steps - 1 else values[step + 1]
        delta = rewards[step] + discount * following * next_non_terminal[step] - values[step]
        last_gae_lam = delta + discount * lam * next_non_terminal[step] * last_gae_lam
        advantages[step] = last_gae_lam
    return swap(advantages)


@torch.no_grad()
def value_targets(advantages, values):
    validate(advantages, values=values)
    return advantages + values

"""One rollout at a time, one step at a time, with branches instead of masks."""

import torch


def demand_same_shape(reference, **others):
    for name, other in others.items():
        if tuple(other.shape) != tuple(reference.shape):
            raise ValueError(
                f"{name}: expected shape {tuple(reference.shape)}, got {tuple(other.shape)}"
            )


@torch.no_grad()
def td_errors(rewards, values, next_values, terminated, *, discount):
    demand_same_shape(rewards, values=values, next_values=next_values, terminated=terminated)
    if rewards.ndim == 2:
        rows = zip(rewards, values, next_values, terminated, strict=True)
        return torch.stack([td_errors(*row, discount=discount) for row in rows])
    errors = []
    for r, v, v_next, end in zip(rewards, values, next_values, terminated, strict=True):
        target = r if end else r + discount * v_next
        errors.append(target - v)
    return torch.stack(errors)


@torch.no_grad()
def gae(rewards, values, next_values, terminated, truncated, *, discount, lam):
    demand_same_shape(
        rewards,
        values=values,
        next_values=next_values,
        terminated=terminated,
        truncated=truncated,
    )
    if rewards.ndim == 2:
        rows = zip(rewards, values, next_values, terminated, truncated, strict=True)
        return torch.stack([gae(*row, discount=discount, lam=lam) for row in rows])
    errors = td_errors(rewards, values, next_values, terminated, discount=discount)
    advantages = []
    running = torch.zeros((), dtype=errors.dtype)
    for t in range(len(errors) - 1, -1, -1):
        if terminated[t] or truncated[t]:
            running = torch.zeros((), dtype=errors.dtype)
        running = errors[t] + discount * lam * running
        advantages.append(running)
    return torch.stack(advantages[::-1])


@torch.no_grad()
def value_targets(advantages, values):
    demand_same_shape(advantages, values=values)
    return advantages + values

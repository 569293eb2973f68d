"""Everything in float64 inside, the caller's dtype outside; garbage is blanked on the way in."""

import torch


def doubles(mask, **tensors):
    """Float64 copies, 0 where nothing counts."""
    for name, tensor in tensors.items():
        if tensor.ndim != 2:
            raise ValueError(f"{name} is {tensor.ndim}-dimensional; two axes are needed")
        if tensor.shape != next(iter(tensors.values())).shape:
            raise ValueError(f"{name} has another shape: {list(tensor.shape)}")
    if mask.shape != next(iter(tensors.values())).shape:
        raise ValueError(f"mask has another shape: {list(mask.shape)}")
    return [
        tensor.double().where(mask, torch.zeros((), dtype=torch.float64))
        for tensor in tensors.values()
    ]


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    new, ref = doubles(mask, log_probs=log_probs, ref_log_probs=ref_log_probs)
    if scores.ndim != 1 or scores.shape[0] != mask.shape[0]:
        raise ValueError(f"scores has another shape: {list(scores.shape)}")
    from_the_end = mask.flip(1).cumsum(1).flip(1)
    last = mask & (from_the_end == 1)
    rewards = beta * (ref - new) + scores.double()[:, None] * last
    return rewards.detach().to(log_probs.dtype)


def token_advantages(rewards, values, mask, *, discount, lam):
    r, v = doubles(mask, rewards=rewards, values=values)
    r, v = r.detach(), v.detach()
    batch, time = mask.shape
    worth = torch.zeros(batch, time + 1, dtype=torch.float64)  # lambda-returns, 0 behind the end
    value = torch.zeros(batch, time + 1, dtype=torch.float64)
    for t in range(time - 1, -1, -1):
        here = r[:, t] + discount * ((1 - lam) * value[:, t + 1] + lam * worth[:, t + 1])
        worth[:, t] = torch.where(mask[:, t], here, worth[:, t + 1])
        value[:, t] = torch.where(mask[:, t], v[:, t], value[:, t + 1])
    targets = worth[:, :-1] * mask
    return (targets - v).to(values.dtype), targets.to(values.dtype)


def whiten(advantages, mask, *, eps=1e-8):
    (a,) = doubles(mask, advantages=advantages)
    a = a.detach()
    counted = a[mask]
    if counted.numel() < 2 or counted.eq(counted[0]).all():
        return torch.zeros_like(advantages)
    centred = torch.where(mask, a - counted.mean(), 0.0)
    std = (centred.pow(2).sum() / (mask.sum() - 1)).sqrt()
    return (centred / (std + eps)).to(advantages.dtype)


def rlhf_ppo_loss(
    log_probs,
    old_log_probs,
    values,
    old_values,
    advantages,
    targets,
    mask,
    *,
    epsilon,
    value_epsilon,
    value_coefficient,
):
    new, old, value, old_value, advantage, target = doubles(
        mask,
        log_probs=log_probs,
        old_log_probs=old_log_probs.detach(),
        values=values,
        old_values=old_values.detach(),
        advantages=advantages.detach(),
        targets=targets.detach(),
    )
    ratio = (new - old).exp()
    held = torch.where(advantage > 0, ratio.clamp(max=1 + epsilon), ratio.clamp(min=1 - epsilon))
    moved = value - old_value
    near = old_value + moved.sign().detach() * moved.abs().clamp(max=value_epsilon)
    errors = torch.stack([(value - target) ** 2, (near - target) ** 2]).amax(dim=0)
    errors = torch.where(moved.abs() <= value_epsilon, (value - target) ** 2, errors)
    each = value_coefficient * errors / 2 - held * advantage
    return ((each * mask).sum() / mask.sum().clamp(min=1)).to(log_probs.dtype)


def kl_to_reference(log_probs, ref_log_probs, mask):
    new, ref = doubles(mask, log_probs=log_probs, ref_log_probs=ref_log_probs)
    return ((new - ref).sum() / len(mask)).detach().to(log_probs.dtype)


def explained_variance(values, targets, mask):
    v, y = doubles(mask, values=values, targets=targets)
    v, y = v[mask].detach(), y[mask].detach()
    if y.numel() < 2 or (y == y[0]).all():
        return torch.zeros((), dtype=values.dtype)
    return (1 - (y - v).var() / y.var()).to(values.dtype)

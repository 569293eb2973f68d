"""No recursion: ranks among the counted tokens, and one matrix of weights for each row.

The loss has a backward pass of its own, with the slopes of both clips written down.
"""

import torch


def _agree(**tensors):
    names = list(tensors)
    shape = tensors[names[0]].shape
    if len(shape) != 2:
        raise ValueError(f"{names[0]}: two axes, please; got {list(shape)}")
    for name in names[1:]:
        if tensors[name].shape != shape:
            raise ValueError(f"{name}: {list(tensors[name].shape)} is not {list(shape)}")


def _ranks(mask):
    """[B, T]: the how-manieth counted token this is; -9 where none is."""
    return (mask.cumsum(dim=1) - 1).where(mask, torch.tensor(-9))


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    _agree(log_probs=log_probs, ref_log_probs=ref_log_probs, mask=mask)
    if scores.shape != mask.shape[:1]:
        raise ValueError(f"scores: {list(scores.shape)} is not {[len(mask)]}")
    last = _ranks(mask) == mask.sum(dim=1, keepdim=True) - 1
    score = torch.where(last & mask, scores.detach()[:, None].to(log_probs.dtype), 0)
    gap = torch.where(mask, ref_log_probs.detach() - log_probs.detach(), 0)
    return score + beta * gap


def token_advantages(rewards, values, mask, *, discount, lam):
    _agree(rewards=rewards, values=values, mask=mask)
    rewards = torch.where(mask, rewards.detach(), 0.0)
    values = torch.where(mask, values.detach(), 0.0)
    ranks = _ranks(mask)
    ahead = ranks[:, None, :] - ranks[:, :, None]  # [B, from, to]
    both = mask[:, None, :] & mask[:, :, None]
    following = ((ahead == 1) & both).to(values.dtype)
    deltas = rewards + discount * (following @ values[..., None])[..., 0] - values
    powers = torch.full((), discount * lam, dtype=values.dtype) ** ahead.clamp(min=0)
    weights = torch.where(both & (ahead >= 0), powers, 0.0)
    advantages = torch.where(mask, (weights @ deltas[..., None])[..., 0], 0.0)
    return advantages, advantages + values


def whiten(advantages, mask, *, eps=1e-8):
    _agree(advantages=advantages, mask=mask)
    counted = advantages.detach()[mask]
    differences = counted[:, None] - counted[None, :]
    n = len(counted)
    std = (differences.square().sum() / max(2 * n * (n - 1), 1)).sqrt()
    deviations = differences.sum(dim=1) / max(n, 1)
    return torch.zeros_like(advantages).masked_scatter(mask, deviations / (std + eps))


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, log_probs, values, old, old_values, advantages, targets, mask, widths):
        epsilon, value_epsilon, value_coefficient = widths
        n = mask.sum().clamp(min=1)
        ratio = torch.where(mask, log_probs - old, 0.0).exp()
        edge = 1 + epsilon * advantages.sign()
        beyond = (ratio - edge) * advantages > 0
        surrogate = torch.where(beyond, edge, ratio) * advantages
        error = values - targets
        moved = values - old_values
        near = old_values + moved.sign() * value_epsilon - targets
        held = (moved.abs() > value_epsilon) & (near.abs() > error.abs())
        errors = torch.where(held, near, error).square()
        each = torch.where(mask, value_coefficient * 0.5 * errors - surrogate, 0.0)
        to_log_probs = torch.where(mask & ~beyond, -ratio * advantages, 0.0) / n
        to_values = torch.where(mask & ~held, value_coefficient * error, 0.0) / n
        ctx.save_for_backward(to_log_probs, to_values)
        return each.sum() / n

    @staticmethod
    def backward(ctx, outer):
        to_log_probs, to_values = ctx.saved_tensors
        return (outer * to_log_probs, outer * to_values, *[None] * 6)


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
    _agree(
        log_probs=log_probs,
        old_log_probs=old_log_probs,
        values=values,
        old_values=old_values,
        advantages=advantages,
        targets=targets,
        mask=mask,
    )
    widths = (epsilon, value_epsilon, value_coefficient)
    data = (x.detach() for x in (old_log_probs, old_values, advantages, targets))
    return _Loss.apply(log_probs, values, *data, mask, widths)


def kl_to_reference(log_probs, ref_log_probs, mask):
    _agree(log_probs=log_probs, ref_log_probs=ref_log_probs, mask=mask)
    gaps = torch.where(mask, log_probs.detach() - ref_log_probs.detach(), 0.0)
    return torch.einsum("bt->", gaps) / mask.shape[0]


def explained_variance(values, targets, mask):
    _agree(values=values, targets=targets, mask=mask)
    y, v = targets.detach()[mask], values.detach()[mask]

    def spread(x):
        return (x[:, None] - x[None, :]).square().sum()

    if spread(y) == 0:
        return torch.zeros((), dtype=values.dtype)
    return 1 - spread(y - v) / spread(y)

"""The clip as a hinge, per-row masked means, and ties from sorted rewards."""

import torch


def _check(condition, message):
    if not condition:
        raise ValueError(message)


def _prepare(rewards):
    _check(rewards.ndim == 2, f"rewards should have two axes, has {rewards.ndim}")
    _check(rewards.shape[1] >= 2, "rewards needs two completions or more for each prompt")
    rewards = rewards.detach()
    return rewards if torch.is_floating_point(rewards) else rewards.to(torch.float32)


def _contrast(rewards):
    ordered = rewards.sort(dim=1).values
    return ordered[:, 0] < ordered[:, -1]


def dr_grpo_advantages(rewards):
    rewards = _prepare(rewards)
    return (rewards - rewards.mean(1, keepdim=True)) * _contrast(rewards).unsqueeze(1)


def leave_one_out_advantages(rewards):
    rewards = _prepare(rewards)
    g = rewards.shape[1]
    others = (1 - torch.eye(g, dtype=rewards.dtype)) / (g - 1)
    return (rewards - rewards @ others) * _contrast(rewards).unsqueeze(1)


def group_advantages(rewards, *, eps=1e-4):
    centred = dr_grpo_advantages(rewards)
    variance = centred.square().sum(1, keepdim=True) / (centred.shape[1] - 1)
    return centred / (torch.sqrt(variance) + eps)


def group_signal(rewards):
    return _contrast(_prepare(rewards)).float().mean()


def grpo_loss(
    log_probs,
    old_log_probs,
    ref_log_probs,
    advantages,
    mask,
    *,
    epsilon,
    beta,
    aggregation,
    constant=None,
):
    _check(aggregation in _REDUCE, f"aggregation must be one of {list(_REDUCE)}")
    _check(aggregation != "constant" or constant is not None, "constant must be a number")
    _check(old_log_probs.shape == log_probs.shape, "old_log_probs: shape differs from log_probs'")
    _check(ref_log_probs.shape == log_probs.shape, "ref_log_probs: shape differs from log_probs'")
    _check(mask.shape == log_probs.shape, "mask: shape differs from log_probs'")
    _check(advantages.shape == log_probs.shape[:1], "advantages: should be [B]")
    log_probs = log_probs.masked_fill(~mask, 0)
    old = old_log_probs.detach().masked_fill(~mask, 0)
    ref = ref_log_probs.detach().masked_fill(~mask, 0)
    sign, size = advantages.detach().sign()[:, None], advantages.detach().abs()[:, None]
    # With s the sign of A: min(r A, clip(r) A) = A + |A| min(s (r - 1), epsilon).
    gain = sign * (torch.exp(log_probs - old) - 1)
    surrogate = advantages.detach()[:, None] + size * (epsilon - torch.relu(epsilon - gain))
    kl = torch.exp(ref - log_probs) - 1 - (ref - log_probs)
    losses = torch.where(mask, beta * kl - surrogate, torch.zeros_like(kl))
    return _REDUCE[aggregation](losses, mask, constant)


def _token_mean(losses, mask, _):
    return losses.sum() / max(int(mask.sum()), 1)


def _sequence_mean(losses, mask, _):
    means = [
        row[counts].mean() if counts.any() else row.sum() * 0
        for row, counts in zip(losses, mask, strict=True)
    ]
    return torch.stack(means).mean()


def _constant(losses, mask, constant):
    return losses.sum(dim=-1).mean() / constant


_REDUCE = {"token_mean": _token_mean, "sequence_mean": _sequence_mean, "constant": _constant}

"""The habits of verl: float masks that are multiplied in, and `nextvalues` carried past holes.

`values * m + (1 - m) * carried` keeps what the last counted token left. A small number instead of a
clamp guards the divisor.
"""

import torch


def _same(reference, **tensors):
    (name, first), *rest = reference.items()
    if first.ndim != 2:
        raise ValueError(f"{name} must be (bs, response_length), got {tuple(first.shape)}")
    for other, tensor in [*rest, *tensors.items()]:
        if tensor.shape != first.shape:
            raise ValueError(f"{other} must be {tuple(first.shape)}, got {tuple(tensor.shape)}")


def _masked_mean(values, weights):
    return (values * weights).sum() / (weights.sum() + (weights.sum() == 0))


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    _same({"log_probs": log_probs}, ref_log_probs=ref_log_probs, mask=mask)
    if scores.ndim != 1 or len(scores) != len(mask):
        raise ValueError(f"scores must be (bs,), got {tuple(scores.shape)}")
    weights = mask.to(log_probs.dtype)
    kld = (log_probs - ref_log_probs).detach() * weights
    behind = mask.long().flip(1).cumsum(1).flip(1)  # counted tokens here and after
    token_level_scores = ((behind == 1) & mask).to(log_probs.dtype) * scores.detach()[:, None]
    return (token_level_scores - beta * kld).to(log_probs.dtype)


def token_advantages(rewards, values, mask, *, discount, lam):
    _same({"rewards": rewards}, values=values, mask=mask)
    with torch.no_grad():
        weights = mask.to(values.dtype)
        nextvalues, lastgaelam, advantages_reversed = 0.0, 0.0, []
        for t in range(mask.shape[-1] - 1, -1, -1):
            m = weights[:, t]
            delta = rewards[:, t] + discount * nextvalues - values[:, t]
            lastgaelam_ = delta + discount * lam * lastgaelam
            nextvalues = values[:, t] * m + (1 - m) * nextvalues
            lastgaelam = lastgaelam_ * m + (1 - m) * lastgaelam
            advantages_reversed.append(lastgaelam)
        advantages = torch.stack(advantages_reversed[::-1], dim=1)
        returns = advantages + values
    return advantages * weights, returns * weights


def whiten(advantages, mask, *, eps=1e-8):
    _same({"advantages": advantages}, mask=mask)
    advantages = advantages.detach()
    weights = mask.to(advantages.dtype)
    if mask.sum() == 0:
        return torch.zeros_like(advantages)
    offset = advantages[mask][-1]
    shifted = (advantages - offset) * weights
    centered = (shifted - _masked_mean(shifted, weights)) * weights
    variance = (centered**2).sum() / max(float(weights.sum()) - 1.0, 1.0)
    return centered / (variance.sqrt() + eps)


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
    _same({"log_probs": log_probs}, old_log_probs=old_log_probs, values=values)
    _same({"log_probs": log_probs}, old_values=old_values, advantages=advantages)
    _same({"log_probs": log_probs}, targets=targets, mask=mask)
    weights = mask.to(log_probs.dtype)
    old_values, advantages, targets = old_values.detach(), advantages.detach(), targets.detach()
    ratio = torch.exp((log_probs - old_log_probs.detach()) * weights)
    pg_losses1 = -advantages * ratio
    pg_losses2 = -advantages * torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
    pg_loss = _masked_mean(torch.maximum(pg_losses1, pg_losses2), weights)
    vpredclipped = torch.clip(values, old_values - value_epsilon, old_values + value_epsilon)
    vf_losses = torch.max((values - targets) ** 2, (vpredclipped - targets) ** 2)
    vf_loss = _masked_mean(vf_losses, weights) / 2
    return pg_loss + vf_loss * value_coefficient


def kl_to_reference(log_probs, ref_log_probs, mask):
    _same({"log_probs": log_probs}, ref_log_probs=ref_log_probs, mask=mask)
    kld = (log_probs - ref_log_probs).detach() * mask.to(log_probs.dtype)
    return kld.sum(-1).mean(0)


def explained_variance(values, targets, mask):
    _same({"values": values}, targets=targets, mask=mask)
    returns = torch.masked_select(targets.detach(), mask)
    residuals = returns - torch.masked_select(values.detach(), mask)
    if returns.unique().numel() < 2:
        return torch.zeros((), dtype=values.dtype)
    return 1.0 - residuals.var() / returns.var()

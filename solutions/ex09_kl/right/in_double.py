"""Everything in float64, cast back at the end; logsumexp by hand."""

import torch


def normalised(logits):
    wide = logits.double()
    return wide - torch.logsumexp(wide, dim=-1, keepdim=True)


def kl_categorical(logits, ref_logits):
    if tuple(ref_logits.shape) != tuple(logits.shape):
        raise ValueError(f"ref_logits must have the shape of logits, got {ref_logits.shape}")
    p, q = normalised(logits), normalised(ref_logits.detach())
    return torch.einsum("...v,...v->...", p.exp(), p - q).to(logits.dtype)


def kl_estimate(log_probs, ref_log_probs, kind):
    if tuple(ref_log_probs.shape) != tuple(log_probs.shape):
        raise ValueError("ref_log_probs must have the shape of log_probs")
    x = log_probs.double() - ref_log_probs.double().detach()
    if kind == "k1":
        out = x
    elif kind == "k2":
        out = x * x / 2
    elif kind == "k3":
        out = (-x).exp() + x - 1
    else:
        raise ValueError(f"kind {kind!r} is unknown")
    return out.to(log_probs.dtype)


def kl_penalised_rewards(rewards, log_probs, ref_log_probs, mask, *, beta):
    if ref_log_probs.shape != log_probs.shape:
        raise ValueError("ref_log_probs must have the shape of log_probs")
    if mask.shape != log_probs.shape:
        raise ValueError("mask must have the shape of log_probs")
    if rewards.ndim != 1 or len(rewards) != len(log_probs):
        raise ValueError("rewards must be [B]")
    ratio = log_probs.detach().double() - ref_log_probs.detach().double()
    later = mask.flip(-1).cumsum(-1).flip(-1)  # counted tokens from here on
    is_last = mask & (later == 1)
    paid = rewards.detach().double()[:, None] * is_last
    return (paid - beta * ratio * mask).to(log_probs.dtype)


def kl_loss(log_probs, ref_log_probs, mask, *, kind):
    if mask.shape != log_probs.shape:
        raise ValueError("mask must have the shape of log_probs")
    if not mask.any():
        return (log_probs * 0.0).sum()
    return kl_estimate(log_probs, ref_log_probs, kind)[mask].double().mean().to(log_probs.dtype)


class AdaptiveKLController:
    def __init__(self, beta, *, target, horizon):
        if target <= 0 or horizon <= 0:
            raise ValueError("target and horizon must both be above 0")
        self.beta = float(beta)
        self._target, self._horizon = target, horizon

    def update(self, observed_kl, steps):
        error = (observed_kl - self._target) / self._target
        if error > 0.2:
            error = 0.2
        if error < -0.2:
            error = -0.2
        self.beta += self.beta * error * steps / self._horizon
        return self.beta

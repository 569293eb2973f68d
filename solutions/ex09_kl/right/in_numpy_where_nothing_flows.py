"""numpy for the rewards, a gather of the last position, cross-entropy minus entropy for the KL."""

import numpy as np
import torch


def kl_categorical(logits, ref_logits):
    if logits.size() != ref_logits.size():
        raise ValueError(f"ref_logits is {list(ref_logits.size())}, logits {list(logits.size())}")
    probabilities = torch.softmax(logits, dim=-1)
    log_p = logits - logits.logsumexp(-1, keepdim=True)
    reference = ref_logits.detach()
    log_q = reference - reference.logsumexp(-1, keepdim=True)
    # The difference comes first: cross-entropy minus entropy would cancel badly.
    return torch.sum(probabilities * (log_p - log_q), -1)


def kl_estimate(log_probs, ref_log_probs, kind):
    if log_probs.size() != ref_log_probs.size():
        raise ValueError("ref_log_probs and log_probs differ in shape")
    if kind not in {"k1", "k2", "k3"}:
        raise ValueError(f"kind may be k1, k2, k3, not {kind}")
    number = int(kind[1])
    d = ref_log_probs.detach().sub(log_probs)
    return (d.neg(), d.mul(d).div(2), d.exp().sub(1).sub(d))[number - 1]


def kl_penalised_rewards(rewards, log_probs, ref_log_probs, mask, *, beta):
    shape = tuple(log_probs.shape)
    if tuple(ref_log_probs.shape) != shape:
        raise ValueError(f"ref_log_probs: {tuple(ref_log_probs.shape)} for {shape}")
    if tuple(mask.shape) != shape:
        raise ValueError(f"mask: {tuple(mask.shape)} for {shape}")
    if tuple(rewards.shape) != shape[:1]:
        raise ValueError(f"rewards: {tuple(rewards.shape)} for {shape[:1]}")
    counted = mask.numpy()
    log_ratio = log_probs.detach().numpy() - ref_log_probs.detach().numpy()
    out = np.where(counted, -beta * log_ratio, 0).astype(log_ratio.dtype)
    rows = np.flatnonzero(counted.any(axis=1))
    last = shape[1] - 1 - np.argmax(counted[:, ::-1], axis=1)
    out[rows, last[rows]] += rewards.detach().numpy()[rows].astype(out.dtype)
    return torch.from_numpy(out)


def kl_loss(log_probs, ref_log_probs, mask, *, kind):
    if mask.size() != log_probs.size():
        raise ValueError("mask and log_probs differ in shape")
    chosen = torch.masked_select(kl_estimate(log_probs, ref_log_probs, kind), mask)
    return chosen.sum() / max(chosen.numel(), 1)


class AdaptiveKLController:
    def __init__(self, beta, *, target, horizon):
        if target <= 0:
            raise ValueError("target: must be positive")
        if horizon <= 0:
            raise ValueError("horizon: must be positive")
        self.beta = beta
        self._parameters = (target, horizon)

    def update(self, observed_kl, steps):
        target, horizon = self._parameters
        error = float(np.clip(observed_kl / target - 1, -0.2, 0.2))
        self.beta = self.beta * (1 + error * steps / horizon)
        return self.beta

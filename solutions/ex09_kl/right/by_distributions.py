"""torch.distributions and torch.nn.functional where they have it."""

import torch
import torch.nn.functional as F
from torch.distributions import Categorical


def kl_categorical(logits, ref_logits):
    if logits.shape != ref_logits.shape:
        raise ValueError(
            f"ref_logits: expected {tuple(logits.shape)}, got {tuple(ref_logits.shape)}"
        )
    policy = Categorical(logits=logits, validate_args=False)
    reference = Categorical(logits=ref_logits.detach(), validate_args=False)
    # kl_divergence(policy, reference) is infinite where a probability of the reference underflows.
    return (policy.probs * (policy.logits - reference.logits)).sum(-1)


def kl_estimate(log_probs, ref_log_probs, kind):
    if log_probs.shape != ref_log_probs.shape:
        raise ValueError(f"ref_log_probs: {ref_log_probs.shape} is not {log_probs.shape}")
    with torch.no_grad():
        reference = ref_log_probs.clone()
    log_ratio = log_probs - reference
    estimators = {
        "k1": lambda: log_ratio,
        "k2": lambda: 0.5 * log_ratio**2,
        "k3": lambda: torch.exp(-log_ratio) - 1 + log_ratio,
    }
    if kind not in estimators:
        raise ValueError(f"no such kind: {kind}")
    return estimators[kind]()


@torch.no_grad()
def kl_penalised_rewards(rewards, log_probs, ref_log_probs, mask, *, beta):
    for name, tensor in (("ref_log_probs", ref_log_probs), ("mask", mask)):
        if tensor.shape != log_probs.shape:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, not {tuple(log_probs.shape)}"
            )
    if rewards.shape != log_probs.shape[:1]:
        raise ValueError(f"rewards has shape {tuple(rewards.shape)}")
    out = -beta * (log_probs - ref_log_probs) * mask
    for row in range(len(out)):
        counted = mask[row].nonzero().flatten()
        if len(counted):
            out[row, counted[-1]] += rewards[row]
    return out


def kl_loss(log_probs, ref_log_probs, mask, *, kind):
    if mask.shape != log_probs.shape:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, not {tuple(log_probs.shape)}")
    weights = mask.to(log_probs.dtype)
    per_token = kl_estimate(log_probs, ref_log_probs, kind)
    return (per_token * weights).sum() / weights.sum().clamp_min(1.0)


class AdaptiveKLController:
    def __init__(self, beta, *, target, horizon):
        if not target > 0:
            raise ValueError("target must be positive")
        if not horizon > 0:
            raise ValueError("horizon must be positive")
        self.beta, self.target, self.horizon = beta, target, horizon

    def update(self, observed_kl, steps):
        relative = torch.tensor(observed_kl / self.target - 1.0, dtype=torch.float64)
        proportional = F.hardtanh(relative, -0.2, 0.2).item()
        self.beta = self.beta * (1.0 + proportional * steps / self.horizon)
        return self.beta

"""The habits of RLHF trainers: masked means, a scatter of the score, kl_div in its own order."""

import torch
import torch.nn.functional as F


def masked_mean(values, mask):
    return (values * mask).sum() / torch.clamp(mask.sum(), min=1)


def same_shape(name, tensor, shape):
    if tensor.shape != shape:
        raise ValueError(f"expected {name} of shape {tuple(shape)}, got {tuple(tensor.shape)}")


def kl_categorical(logits, ref_logits):
    same_shape("ref_logits", ref_logits, logits.shape)
    target = F.log_softmax(logits, dim=-1)
    source = F.log_softmax(ref_logits.detach(), dim=-1)
    return F.kl_div(source, target, reduction="none", log_target=True).sum(-1)


def kl_estimate(log_probs, ref_log_probs, kind):
    same_shape("ref_log_probs", ref_log_probs, log_probs.shape)
    ref_log_probs = ref_log_probs.detach()
    match kind:
        case "k1":
            return log_probs - ref_log_probs
        case "k2":
            return (log_probs - ref_log_probs).pow(2).mul(0.5)
        case "k3":
            delta = ref_log_probs - log_probs
            return delta.exp() - delta - 1
    raise ValueError(f"kind = {kind}")


def kl_penalised_rewards(rewards, log_probs, ref_log_probs, mask, *, beta):
    same_shape("ref_log_probs", ref_log_probs, log_probs.shape)
    same_shape("mask", mask, log_probs.shape)
    same_shape("rewards", rewards, log_probs.shape[:1])
    non_score = -beta * kl_estimate(log_probs.detach(), ref_log_probs, "k1") * mask
    width = mask.shape[1]
    ends = width - 1 - mask.long().flip(1).argmax(dim=1, keepdim=True)
    score = torch.zeros_like(non_score).scatter(1, ends, rewards[:, None].to(non_score.dtype))
    return (non_score + score * mask).detach()


def kl_loss(log_probs, ref_log_probs, mask, *, kind):
    same_shape("mask", mask, log_probs.shape)
    return masked_mean(kl_estimate(log_probs, ref_log_probs, kind), mask)


class AdaptiveKLController:
    def __init__(self, beta, *, target, horizon):
        for name, value in {"target": target, "horizon": horizon}.items():
            if value <= 0:
                raise ValueError(f"{name} <= 0")
        self.beta = beta
        self.target = target
        self.horizon = horizon

    def update(self, observed_kl, steps):
        proportional_error = max(-0.2, min(observed_kl / self.target - 1, 0.2))
        self.beta *= 1 + proportional_error * steps / self.horizon
        return self.beta

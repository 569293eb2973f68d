"""Loops over rows and tokens, one number at a time."""

import torch


def require(tensor, shape, name):
    if list(tensor.shape) != list(shape):
        raise ValueError(f"{name} should be {list(shape)} but is {list(tensor.shape)}")


def one_kl(logits, ref_logits):
    log_p = torch.log_softmax(logits, 0)
    log_q = torch.log_softmax(ref_logits, 0)
    total = logits.new_zeros(())
    for v in range(len(logits)):
        total = total + log_p[v].exp() * (log_p[v] - log_q[v])
    return total


def kl_categorical(logits, ref_logits):
    require(ref_logits, logits.shape, "ref_logits")
    rows = logits.reshape(-1, logits.shape[-1])
    ref_rows = ref_logits.detach().reshape(-1, logits.shape[-1])
    answers = [one_kl(row, ref_row) for row, ref_row in zip(rows, ref_rows, strict=True)]
    return torch.stack(answers).reshape(logits.shape[:-1])


def kl_estimate(log_probs, ref_log_probs, kind):
    require(ref_log_probs, log_probs.shape, "ref_log_probs")
    if kind not in ("k1", "k2", "k3"):
        raise ValueError("kind must be k1, k2 or k3")
    flat, ref = log_probs.reshape(-1), ref_log_probs.detach().reshape(-1)
    out = []
    for mine, theirs in zip(flat, ref, strict=True):
        x = mine - theirs
        out.append({"k1": x, "k2": x * x / 2, "k3": torch.exp(theirs - mine) - 1 + x}[kind])
    return torch.stack(out).reshape(log_probs.shape)


def kl_penalised_rewards(rewards, log_probs, ref_log_probs, mask, *, beta):
    require(ref_log_probs, log_probs.shape, "ref_log_probs")
    require(mask, log_probs.shape, "mask")
    require(rewards, log_probs.shape[:1], "rewards")
    out = torch.zeros(log_probs.shape, dtype=log_probs.dtype)
    for b in range(out.shape[0]):
        last = None
        for t in range(out.shape[1]):
            if mask[b, t]:
                out[b, t] = -beta * (log_probs[b, t].item() - ref_log_probs[b, t].item())
                last = t
        if last is not None:
            out[b, last] += rewards[b].item()
    return out


def kl_loss(log_probs, ref_log_probs, mask, *, kind):
    require(mask, log_probs.shape, "mask")
    estimates = kl_estimate(log_probs, ref_log_probs, kind)
    total, count = log_probs.new_zeros(()), 0
    for b in range(mask.shape[0]):
        for t in range(mask.shape[1]):
            if mask[b, t]:
                total, count = total + estimates[b, t], count + 1
    return total / max(count, 1)


class AdaptiveKLController:
    def __init__(self, beta, *, target, horizon):
        if target <= 0:
            raise ValueError(f"target is {target}")
        if horizon <= 0:
            raise ValueError(f"horizon is {horizon}")
        self.history = [beta]
        self.target = target
        self.horizon = horizon

    @property
    def beta(self):
        return self.history[-1]

    def update(self, observed_kl, steps):
        error = sorted([-0.2, observed_kl / self.target - 1, 0.2])[1]
        self.history.append(self.beta * (1 + error * steps / self.horizon))
        return self.beta

"""Tables in numpy and float64; the counted tokens of a row are a short vector."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def _array(tensor: Tensor, dtype: type = np.float64) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(dtype)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(array)).to(like.dtype).to(like.device)


def _require(name: str, tensor: Tensor, shape: torch.Size | None = None) -> torch.Size:
    fits = tensor.dim() == 2 if shape is None else tensor.shape == shape
    if not fits:
        wanted = "[B, T]" if shape is None else str(list(shape))
        raise ValueError(f"the shape of {name} is {list(tensor.shape)}, not {wanted}")
    return tensor.shape


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    shape = _require("log_probs", log_probs)
    _require("ref_log_probs", ref_log_probs, shape)
    _require("mask", mask, shape)
    _require("scores", scores, shape[:1])
    counts = _array(mask, bool)
    rewards = np.zeros(shape)
    gap = _array(log_probs)[counts] - _array(ref_log_probs)[counts]
    rewards[counts] = -beta * gap
    for row, score, on in zip(rewards, _array(scores), counts, strict=True):
        places = np.flatnonzero(on)
        if places.size:
            row[places[-1]] += score
    return _tensor(rewards, log_probs)


def token_advantages(rewards, values, mask, *, discount, lam):
    shape = _require("rewards", rewards)
    _require("values", values, shape)
    _require("mask", mask, shape)
    counts, r, v = _array(mask, bool), _array(rewards), _array(values)
    advantages, targets = np.zeros(shape), np.zeros(shape)
    for b in range(shape[0]):
        on = counts[b]
        value = v[b, on]
        n = value.size
        delta = r[b, on] + discount * np.append(value[1:], 0.0)[:n] - value
        steps = np.arange(n)
        ahead = steps[None, :] - steps[:, None]
        weights = np.where(ahead >= 0, (discount * lam) ** np.maximum(ahead, 0), 0.0)
        advantages[b, on] = weights @ delta
        targets[b, on] = weights @ delta + value
    like = rewards if rewards.dtype == torch.float64 else values
    return _tensor(advantages, like), _tensor(targets, like)


def whiten(advantages, mask, *, eps=1e-8):
    shape = _require("advantages", advantages)
    _require("mask", mask, shape)
    counts = _array(mask, bool)
    a = _array(advantages)[counts]
    answer = np.zeros(shape)
    if a.size > 1 and np.ptp(a) > 0:
        answer[counts] = (a - a.mean()) / (a.std(ddof=1) + eps)
    return _tensor(answer, advantages)


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
    shape = _require("log_probs", log_probs)
    for name, tensor in (
        ("old_log_probs", old_log_probs),
        ("values", values),
        ("old_values", old_values),
        ("advantages", advantages),
        ("targets", targets),
        ("mask", mask),
    ):
        _require(name, tensor, shape)
    where = mask.flatten().nonzero().squeeze(1)

    def pick(tensor: Tensor) -> Tensor:
        return tensor.flatten().index_select(0, where).double()

    new, v = pick(log_probs), pick(values)
    old, v_old, advantage, target = (
        pick(x.detach()) for x in (old_log_probs, old_values, advantages, targets)
    )
    n = max(where.numel(), 1)

    ratio = torch.exp(new - old)
    clipped = F.hardtanh(ratio, 1 - epsilon, 1 + epsilon)
    worse = torch.stack([ratio * advantage, clipped * advantage]).amin(0)
    near = torch.clamp(v, min=v_old - value_epsilon, max=v_old + value_epsilon)
    far = F.mse_loss(v, target, reduction="none")
    held = F.mse_loss(near, target, reduction="none")
    error = torch.where(far >= held, far, held)
    loss = -worse.sum() / n + value_coefficient * error.sum() / (2 * n)
    return loss.to(log_probs.dtype)


def kl_to_reference(log_probs, ref_log_probs, mask):
    shape = _require("log_probs", log_probs)
    _require("ref_log_probs", ref_log_probs, shape)
    _require("mask", mask, shape)
    counts = _array(mask, bool)
    gap = np.where(counts, _array(log_probs), 0.0) - np.where(counts, _array(ref_log_probs), 0.0)
    return _tensor(gap.sum(axis=1).mean(), log_probs)


def explained_variance(values, targets, mask):
    shape = _require("values", values)
    _require("targets", targets, shape)
    _require("mask", mask, shape)
    counts = _array(mask, bool)
    v, g = _array(values)[counts], _array(targets)[counts]
    if g.size < 2 or np.ptp(g) == 0:
        return _tensor(np.array(0.0), values)
    return _tensor(np.array(1.0 - np.var(g - v) / np.var(g)), values)

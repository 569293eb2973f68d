"""Everything is computed in float64, under the mask, and cast back at the end."""

import numpy as np
import torch


def doubles(reference, **tensors):
    """Detached float64 versions; flags stay flags."""
    found = []
    for name, tensor in tensors.items():
        if tensor.shape != reference:
            raise ValueError(f"{name!r} must be {tuple(reference)}, not {tuple(tensor.shape)}")
        found.append(tensor.detach() if tensor.dtype == torch.bool else tensor.detach().double())
    return found


def log_of_ratio(log_probs, old_log_probs, joint):
    (old,) = doubles(log_probs.shape, old_log_probs=old_log_probs)
    difference = log_probs.double() - old
    return difference.sum(-1) if joint else difference


def average(entries, dtype):
    return (entries.sum() / max(len(entries), 1)).to(dtype)


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    return torch.exp(log_of_ratio(log_probs, old_log_probs, joint)).to(log_probs.dtype)


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    log_ratio = log_of_ratio(log_probs, old_log_probs, joint)
    adv, mask = doubles(log_ratio.shape, advantages=advantages, mask=mask)
    ratio, adv = torch.masked_select(log_ratio, mask).exp(), torch.masked_select(adv, mask)
    over, under = torch.relu(ratio - (1 + epsilon)), torch.relu((1 - epsilon) - ratio)
    objective = adv * ratio - adv.clamp(min=0) * over + adv.clamp(max=0) * under
    return -average(objective, log_probs.dtype)


def clip_case(advantage, ratio, *, epsilon):
    terms = np.array([ratio, np.clip(ratio, 1 - epsilon, 1 + epsilon)]) * advantage
    branch = ("unclipped", "clipped")[int(np.argmin(terms))]  # the first of equals
    return branch, bool(branch == "clipped" or advantage == 0)


def clip_fraction(ratio, mask, *, epsilon):
    (mask,) = doubles(ratio.shape, mask=mask)
    far = (ratio.detach().double()[mask] - 1).abs() > epsilon
    return average(far.double(), ratio.dtype)


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    x = log_of_ratio(log_probs.detach(), old_log_probs, joint)
    (mask,) = doubles(x.shape, mask=mask)
    x = x[mask]
    return average((torch.exp(x) - 1) - x, log_probs.dtype)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    old, target, mask = doubles(values.shape, old_values=old_values, returns=returns, mask=mask)
    v, old, target = values.double()[mask], old[mask], target[mask]
    near = torch.clip(v, old - epsilon, old + epsilon)
    return average(torch.fmax((v - target) ** 2, (near - target) ** 2) / 2, values.dtype)


def minibatch_indices(count, minibatch_size, *, generator):
    if count < 1 or minibatch_size < 1:
        raise ValueError(f"count and minibatch_size must be positive: {count}, {minibatch_size}")
    seed = int(torch.randint(2**62, (), generator=generator))
    order = np.random.default_rng(seed).permutation(count).astype(np.int64)
    stops = np.arange(minibatch_size, count, minibatch_size)
    return [torch.from_numpy(part.copy()) for part in np.split(order, stops)]

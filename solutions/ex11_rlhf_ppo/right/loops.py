"""Token by token in Python, with autograd over scalars. No mask is ever multiplied."""

import torch


def wanted(name, tensor, shape):
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, wanted {tuple(shape)}")


def two_axes(name, tensor):
    if tensor.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, wanted [B, T]")


def places(row):
    return [t for t, counts in enumerate(row.tolist()) if counts]


def token_rewards(scores, log_probs, ref_log_probs, mask, *, beta):
    two_axes("log_probs", log_probs)
    wanted("ref_log_probs", ref_log_probs, log_probs.shape)
    wanted("mask", mask, log_probs.shape)
    wanted("scores", scores, log_probs.shape[:1])
    rewards = torch.zeros(log_probs.shape, dtype=log_probs.dtype)
    new, ref, marks = log_probs.tolist(), ref_log_probs.tolist(), scores.tolist()
    for b, row in enumerate(mask):
        for t in places(row):
            rewards[b, t] = beta * (ref[b][t] - new[b][t])
        for t in places(row)[-1:]:
            rewards[b, t] += marks[b]
    return rewards


def token_advantages(rewards, values, mask, *, discount, lam):
    two_axes("rewards", rewards)
    wanted("values", values, rewards.shape)
    wanted("mask", mask, rewards.shape)
    advantages = [[0.0] * mask.shape[1] for _ in mask]
    targets = [[0.0] * mask.shape[1] for _ in mask]
    r, v = rewards.tolist(), values.tolist()
    for b, row in enumerate(mask):
        steps = places(row)
        worth = 0.0  # the lambda-return of what comes next
        for t, after in zip(steps[::-1], [None, *steps[:0:-1]][: len(steps)], strict=True):
            value_after = 0.0 if after is None else v[b][after]
            worth = r[b][t] + discount * ((1 - lam) * value_after + lam * worth)
            targets[b][t] = worth
            advantages[b][t] = worth - v[b][t]
    return torch.tensor(advantages, dtype=values.dtype), torch.tensor(targets, dtype=values.dtype)


def whiten(advantages, mask, *, eps=1e-8):
    two_axes("advantages", advantages)
    wanted("mask", mask, advantages.shape)
    table = advantages.tolist()
    counted = [(b, t) for b, row in enumerate(mask) for t in places(row)]
    numbers = [table[b][t] for b, t in counted]
    whitened = torch.zeros(advantages.shape, dtype=advantages.dtype)
    if len(set(numbers)) < 2:
        return whitened
    mean = sum(numbers) / len(numbers)
    std = (sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1)) ** 0.5
    for (b, t), x in zip(counted, numbers, strict=True):
        whitened[b, t] = (x - mean) / (std + eps)
    return whitened


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
    two_axes("log_probs", log_probs)
    names = ["old_log_probs", "values", "old_values", "advantages", "targets", "mask"]
    tensors = [old_log_probs, values, old_values, advantages, targets, mask]
    for name, tensor in zip(names, tensors, strict=True):
        wanted(name, tensor, log_probs.shape)
    table = [tensor.tolist() for tensor in (old_log_probs, old_values, advantages, targets)]
    terms = []
    for b, row in enumerate(mask):
        for t in places(row):
            old, old_value, a, target = (numbers[b][t] for numbers in table)
            error = larger_error(values[b, t], old_value, target, value_epsilon)
            terms.append(value_coefficient * error / 2)
            terms.append(-surrogate(log_probs[b, t] - old, a, epsilon))
    if not terms:
        return torch.zeros((), dtype=log_probs.dtype)
    return 2 * torch.stack(terms).sum() / len(terms)


def surrogate(log_ratio, advantage, epsilon):
    ratio = log_ratio.exp()
    if advantage > 0 and ratio > 1 + epsilon:
        return torch.full_like(ratio, (1 + epsilon) * advantage).detach()
    if advantage < 0 and ratio < 1 - epsilon:
        return torch.full_like(ratio, (1 - epsilon) * advantage).detach()
    return ratio * advantage


def larger_error(value, old, target, width):
    moved = value.item() - old
    near = old + (width if moved > 0 else -width)
    if abs(moved) > width and abs(near - target) > abs(value.item() - target):
        return torch.full_like(value, (near - target) ** 2).detach()
    return (value - target) ** 2


def kl_to_reference(log_probs, ref_log_probs, mask):
    two_axes("log_probs", log_probs)
    wanted("ref_log_probs", ref_log_probs, log_probs.shape)
    wanted("mask", mask, log_probs.shape)
    new, ref = log_probs.tolist(), ref_log_probs.tolist()
    total = sum(new[b][t] - ref[b][t] for b, row in enumerate(mask) for t in places(row))
    return torch.tensor(total / len(mask), dtype=log_probs.dtype)


def explained_variance(values, targets, mask):
    two_axes("values", values)
    wanted("targets", targets, values.shape)
    wanted("mask", mask, values.shape)
    pairs = [
        (targets[b, t].item(), values[b, t].item()) for b, r in enumerate(mask) for t in places(r)
    ]
    wanted_ones = [y for y, _ in pairs]
    if len(set(wanted_ones)) < 2:
        return torch.tensor(0.0, dtype=values.dtype)
    share = spread([y - v for y, v in pairs]) / spread(wanted_ones)
    return torch.tensor(1 - share, dtype=values.dtype)


def spread(numbers):
    mean = sum(numbers) / len(numbers)
    return sum((x - mean) ** 2 for x in numbers)

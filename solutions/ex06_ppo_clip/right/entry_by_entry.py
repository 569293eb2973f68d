"""One entry at a time, with branches instead of minima, and no masks after the first line."""

import math

import torch


def check_shapes(expected, **tensors):
    for name, tensor in tensors.items():
        if list(tensor.shape) != list(expected):
            raise ValueError(f"expected {name} of shape {list(expected)}, got {list(tensor.shape)}")


def log_ratio(log_probs, old_log_probs, joint):
    check_shapes(log_probs.shape, old_log_probs=old_log_probs)
    difference = log_probs - old_log_probs.detach()
    if joint:
        difference = sum(difference.unbind(-1))
    return difference


def mean_of(terms, like, mask):
    """The mean of a list of scalars, attached to `like` also where no term is."""
    attached = 0 * like[mask].sum()
    return sum(terms, attached) / max(len(terms), 1)


def counted(mask, *tensors):
    places = mask.flatten().nonzero().flatten().tolist()
    flat = [tensor.flatten() for tensor in tensors]
    return [[tensor[i] for tensor in flat] for i in places]


def probability_ratio(log_probs, old_log_probs, *, joint=False):
    return math.e ** log_ratio(log_probs, old_log_probs, joint)


def ppo_clip_loss(log_probs, old_log_probs, advantages, mask, *, epsilon, joint=False):
    logs = log_ratio(log_probs, old_log_probs, joint)
    check_shapes(logs.shape, advantages=advantages, mask=mask)
    terms = []
    for log, advantage in counted(mask, logs, advantages.detach()):
        ratio = log.exp()
        if advantage > 0 and ratio > 1 + epsilon:
            terms.append(-(1 + epsilon) * advantage)
        elif advantage < 0 and ratio < 1 - epsilon:
            terms.append(-(1 - epsilon) * advantage)
        else:
            terms.append(-ratio * advantage)
    return mean_of(terms, logs, mask)


def clip_case(advantage, ratio, *, epsilon):
    if advantage == 0:
        return "unclipped", True
    moved_with_the_advantage = (ratio - 1) * math.copysign(1, advantage)
    return ("clipped", True) if moved_with_the_advantage > epsilon else ("unclipped", False)


def clip_fraction(ratio, mask, *, epsilon):
    check_shapes(ratio.shape, mask=mask)
    outside = [float(abs(r.item() - 1) > epsilon) for (r,) in counted(mask, ratio)]
    return torch.tensor(sum(outside) / max(len(outside), 1), dtype=ratio.dtype)


def approximate_kl(log_probs, old_log_probs, mask, *, joint=False):
    logs = log_ratio(log_probs.detach(), old_log_probs, joint)
    check_shapes(logs.shape, mask=mask)
    return mean_of([log.exp() - 1 - log for (log,) in counted(mask, logs)], logs, mask)


def clipped_value_loss(values, old_values, returns, mask, *, epsilon):
    check_shapes(values.shape, old_values=old_values, returns=returns, mask=mask)
    terms = []
    for v, old, target in counted(mask, values, old_values.detach(), returns.detach()):
        error = (v - target) ** 2
        if abs(v - old) > epsilon:
            edge = old + epsilon if v > old else old - epsilon
            error = max(error, (edge - target) ** 2)
        terms.append(error / 2)
    return mean_of(terms, values, mask)


def minibatch_indices(count, minibatch_size, *, generator):
    if count < 1:
        raise ValueError(f"count must be 1 or more, got {count}")
    if minibatch_size < 1:
        raise ValueError(f"minibatch_size must be 1 or more, got {minibatch_size}")
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = int(torch.randint(last + 1, (1,), generator=generator))
        order[last], order[other] = order[other], order[last]
    starts = range(0, count, minibatch_size)
    return [torch.tensor(order[i : i + minibatch_size], dtype=torch.int64) for i in starts]

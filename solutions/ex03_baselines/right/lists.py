"""Plain Python numbers in plain loops; torch only at the doors."""

import math

import torch


def to_list(returns):
    if returns.dim() != 1:
        raise ValueError(f"returns: want one axis, have {tuple(returns.shape)}")
    return [float(r) for r in returns.tolist()]


def like(returns, numbers):
    dtype = returns.dtype if returns.dtype.is_floating_point else torch.get_default_dtype()
    return torch.tensor(numbers, dtype=dtype)


def moving_average_baseline(returns, *, decay, initial=0.0):
    expected, answers = float(initial), []
    for outcome in to_list(returns):
        answers.append(expected)
        expected += (1 - decay) * (outcome - expected)
    return like(returns, answers)


def batch_mean_baseline(returns):
    numbers = to_list(returns)
    return like(returns, [math.fsum(numbers) / len(numbers)] * len(numbers))


def leave_one_out_baseline(returns):
    numbers = to_list(returns)
    answers = []
    for i in range(len(numbers)):
        others = [r for j, r in enumerate(numbers) if j != i]
        answers.append(math.fsum(others) / len(others) if others else 0.0)
    return like(returns, answers)


def value_baseline_loss(values, returns, mask):
    for name, tensor in (("returns", returns), ("mask", mask)):
        if tensor.shape != values.shape:
            raise ValueError(f"{name}: want {tuple(values.shape)}, have {tuple(tensor.shape)}")
    total, count = values.new_zeros(()), 0
    for row, outcomes, flags in zip(values, returns.tolist(), mask.tolist(), strict=True):
        for value, outcome, counts in zip(row, outcomes, flags, strict=True):
            if counts:
                total = total + (value - outcome) ** 2 / 2
                count += 1
    return total / count if count else values.mul(0.0).sum()


def variance_minimising_baseline(scores, returns):
    if scores.dim() != 2:
        raise ValueError(f"scores: want two axes, have {tuple(scores.shape)}")
    if returns.shape != (len(scores),):
        raise ValueError(f"returns: want ({len(scores)},), have {tuple(returns.shape)}")
    above = below = 0.0
    for score, outcome in zip(scores.tolist(), returns.tolist(), strict=True):
        weight = math.fsum(component * component for component in score)
        above += weight * outcome
        below += weight
    return torch.tensor(above / below if below else 0.0, dtype=scores.dtype)


def normalise_advantages(advantages, mask, *, eps=1e-8):
    if mask.shape != advantages.shape:
        raise ValueError(f"mask: want {tuple(advantages.shape)}, have {tuple(mask.shape)}")
    result = torch.zeros(advantages.shape, dtype=advantages.dtype)
    places = [tuple(place) for place in mask.nonzero().tolist()]
    numbers = [advantages[place].item() for place in places]
    if len(set(numbers)) < 2:
        return result
    mean = math.fsum(numbers) / len(numbers)
    std = math.sqrt(math.fsum((a - mean) ** 2 for a in numbers) / (len(numbers) - 1))
    for place, number in zip(places, numbers, strict=True):
        result[place] = (number - mean) / (std + eps)
    return result

"""One pass over the numbers: running sums from both sides, and Welford's mean and variance."""

import torch


def flat(returns):
    if returns.ndim != 1:
        raise ValueError(f"returns ought to have shape [N], not {list(returns.shape)}")
    returns = returns.detach()
    return returns.to(torch.promote_types(returns.dtype, torch.get_default_dtype()))


def moving_average_baseline(returns, *, decay, initial=0.0):
    averages = [torch.as_tensor(float(initial)).to(flat(returns).dtype)]
    for outcome in flat(returns).unbind():
        averages.append(averages[-1] + (outcome - averages[-1]) * (1 - decay))
    return torch.stack(averages[:-1])


def batch_mean_baseline(returns):
    mean = flat(returns).new_zeros(())
    for count, outcome in enumerate(flat(returns), start=1):
        mean = mean + (outcome - mean) / count
    return mean.expand(len(returns)).clone()


def leave_one_out_baseline(returns):
    r = flat(returns)
    nothing = r.new_zeros(1)
    before = torch.cat([nothing, r.cumsum(0)[:-1]])
    after = torch.cat([r.flip(0).cumsum(0).flip(0)[1:], nothing])
    return (before + after) / max(len(r) - 1, 1)


def value_baseline_loss(values, returns, mask):
    if returns.shape != values.shape:
        raise ValueError(f"returns ought to have shape {list(values.shape)}")
    if mask.shape != values.shape:
        raise ValueError(f"mask ought to have shape {list(values.shape)}")
    errors = values.reshape(-1)[mask.reshape(-1)] - returns.detach().reshape(-1)[mask.reshape(-1)]
    return errors.square().sum() / max(2 * errors.numel(), 1)


def variance_minimising_baseline(scores, returns):
    if scores.ndim != 2:
        raise ValueError(f"scores ought to have shape [N, K], not {list(scores.shape)}")
    if returns.shape != scores.shape[:1]:
        raise ValueError(f"returns ought to have shape [{scores.shape[0]}]")
    scores, returns = scores.detach(), returns.detach()
    baseline = weight = scores.new_zeros(())
    for score, outcome in zip(scores, returns, strict=True):
        own = score @ score
        weight = weight + own
        if weight > 0:
            baseline = baseline + (outcome - baseline) * (own / weight)
    return baseline


def normalise_advantages(advantages, mask, *, eps=1e-8):
    if mask.shape != advantages.shape:
        raise ValueError(f"mask ought to have shape {list(advantages.shape)}")
    mean, squares, count = 0.0, 0.0, 0
    for advantage in advantages[mask].tolist():
        count += 1
        change = advantage - mean
        mean += change / count
        squares += change * (advantage - mean)
    if count < 2 or squares == 0.0:
        return torch.zeros_like(advantages).detach()
    std = (squares / (count - 1)) ** 0.5
    return torch.where(mask, (advantages.detach() - mean) / (std + eps), 0.0)

"""What to subtract from a return before it weighs a gradient.

A baseline is compared with what came; the difference is the weight of the sample's log-prob. No
baseline here carries gradient, and none is a loss but `value_baseline_loss`. Samples are rows
`[N]`, N >= 1, in the order they were drawn; steps of padded episodes are `[B, T]` with a mask.
Floats are float32 or float64, and those of one call have the same dtype.
"""

import torch
from torch import Tensor


def moving_average_baseline(returns: Tensor, *, decay: float, initial: float = 0.0) -> Tensor:
    """What was expected of each sample, going by the samples before it.

        b[0] = initial,   b[i + 1] = decay * b[i] + (1 - decay) * R[i]

    Entry i is b[i], the average in force before R[i] is seen. The average is not corrected for its
    start.
    Source: Sutton and Barto, Reinforcement Learning (2018), equation 2.5 with step 1 - decay;
    used as a baseline in section 2.8.

    Args:
        returns: [N] float or int, in reward units, oldest first.
        decay: from 0 (the return before) to 1 (never moves), both included; no unit.
        initial: what is expected of the first sample, in reward units.

    Returns:
        [N] float, in reward units, without gradient. A float dtype is kept; integer returns give
        float32.

    Raises:
        ValueError: `returns` is not [N].
    """
    # BEGIN SOLUTION
    returns = _as_samples(returns)
    baseline = torch.empty_like(returns)
    average = initial
    for i, outcome in enumerate(returns):
        baseline[i] = average
        average = decay * average + (1.0 - decay) * outcome
    return baseline
    # END SOLUTION


def batch_mean_baseline(returns: Tensor) -> Tensor:
    """The mean return of the batch, the sample's own included, once for each sample.

        b[i] = (R[0] + ... + R[N - 1]) / N

    With independent samples it multiplies the expected gradient by 1 - 1/N.
    Source: Williams, Simple Statistical Gradient-Following Algorithms (1992), section 4, for
    baselines; Kool et al., Buy 4 REINFORCE Samples (2019), for the role of the own sample.

    Args:
        returns: [N] float or int, in reward units.

    Returns:
        [N] float, in reward units, without gradient; all entries equal. A float dtype is kept;
        integer returns give float32.

    Raises:
        ValueError: `returns` is not [N].
    """
    # BEGIN SOLUTION
    returns = _as_samples(returns)
    return returns.mean().repeat(len(returns))
    # END SOLUTION


def leave_one_out_baseline(returns: Tensor) -> Tensor:
    """The mean return of all the other samples.

        b[i] = sum over j != i of R[j] / (N - 1),   and 0 if N = 1

    A single sample has no others, hence no baseline.
    Source: Ahmadian et al., Back to Basics (arXiv:2402.14740), the RLOO estimator; Kool et al.,
    Buy 4 REINFORCE Samples (2019).

    Args:
        returns: [N] float or int, in reward units.

    Returns:
        [N] float, in reward units, without gradient. A float dtype is kept; integer returns give
        float32.

    Raises:
        ValueError: `returns` is not [N].
    """
    # BEGIN SOLUTION
    returns = _as_samples(returns)
    others = returns.sum() - returns
    return others / max(len(returns) - 1, 1)
    # END SOLUTION


def value_baseline_loss(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """How far a learned baseline is from the returns: half the mean squared error.

        loss = 1/2 * mean over counted (b, t) of (V[b, t] - G[b, t])^2

    One mean over all counted entries of the batch, so every step weighs the same, whichever
    episode it belongs to. Without a counted entry the loss is 0; it can still be backpropagated,
    and its gradient is 0.
    Source: Sutton and Barto, Reinforcement Learning (2018), sections 9.1 and 13.4.

    Args:
        values: [B, T] float, V(s[t]) in reward units.
        returns: [B, T] float or int, in reward units; the target. No gradient flows into it.
        mask: [B, T] bool, True where a step counts. Elsewhere stand finite numbers that mean
            nothing; the squares of their differences are finite, too.

    Returns:
        [] in squared reward units, the dtype of `values`; minimised.

    Raises:
        ValueError: the shape of `returns` or of `mask` differs from that of `values`.
    """
    # BEGIN SOLUTION
    _expect_shape(values.shape, returns=returns, mask=mask)
    errors = (values - returns.detach()).masked_fill(~mask, 0.0)
    return 0.5 * errors.square().sum() / mask.sum().clamp(min=1)
    # END SOLUTION


def variance_minimising_baseline(scores: Tensor, returns: Tensor) -> Tensor:
    """The one number whose subtraction leaves the gradient estimate the least variance.

        b* = sum over i of |s[i]|^2 R[i]  /  sum over i of |s[i]|^2

    The variance is the trace of the covariance of s * (R - b), and s has expectation zero. The
    sums are estimates from these samples. Nothing is added to the divisor, and there is no floor
    under it, so the unit of the scores does not matter as long as floats hold their squares. Where
    all scores are zero every number is as good, and b* is 0.
    Source: Greensmith, Bartlett and Baxter, Variance Reduction Techniques for Gradient Estimates
    in Reinforcement Learning (JMLR 5, 2004), on optimal constant baselines.

    Args:
        scores: [N, K] float, one sample a row: the gradient of its log-prob with respect to K
            parameters.
        returns: [N] float or int, in reward units.

    Returns:
        [] in reward units, the dtype of `scores`, without gradient.

    Raises:
        ValueError: `scores` is not [N, K], or `returns` is not [N] with the same N.
    """
    # BEGIN SOLUTION
    if scores.ndim != 2:
        raise ValueError(f"scores should be [N, K], got {list(scores.shape)}")
    _expect_shape(scores.shape[:1], returns=returns)
    weights = scores.detach().square().sum(dim=1)
    total = weights.sum()
    return (weights * returns.detach()).sum() / total.masked_fill(total == 0.0, 1.0)
    # END SOLUTION


def normalise_advantages(advantages: Tensor, mask: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Advantages with mean zero and standard deviation one over all counted steps of the batch.

        A'[b, t] = (A[b, t] - mean) / (std + eps) where counted, 0 elsewhere

    `std` divides by n - 1, n being the number of counted entries. One counted entry, or any number
    of equal ones, come out as exactly 0, although their sum may be rounded; numbers that are only
    nearly equal do not.
    Source: Andrychowicz et al., What Matters in On-Policy Reinforcement Learning
    (arXiv:2006.05990), on advantage normalisation; divisor and eps as in CleanRL and
    Stable-Baselines3.

    Args:
        advantages: [B, T] float, in reward units.
        mask: [B, T] bool, True where a step counts. Elsewhere stand finite numbers that mean
            nothing.
        eps: above 0, in reward units; added to the standard deviation.

    Returns:
        [B, T] the dtype of `advantages`, no unit, without gradient.

    Raises:
        ValueError: the shape of `mask` differs from that of `advantages`.
    """
    # BEGIN SOLUTION
    _expect_shape(advantages.shape, mask=mask)
    counted = advantages.detach()[mask]
    # A common shift changes nothing, and after this one equal entries are exact zeros: the mean
    # of nine times 0.1 need not be 0.1.
    shifted = counted - counted[:1]
    deviations = shifted - shifted.mean()
    std = (deviations.square().sum() / max(len(counted) - 1, 1)).sqrt()
    normalised = torch.zeros_like(advantages)
    normalised[mask] = deviations / (std + eps)
    return normalised
    # END SOLUTION


# BEGIN SOLUTION
def _as_samples(returns: Tensor) -> Tensor:
    """Returns as floats without gradient. Raises ValueError unless they are [N]."""
    if returns.ndim != 1:
        raise ValueError(f"returns should be [N], got {list(returns.shape)}")
    returns = returns.detach()
    return returns if returns.is_floating_point() else returns.float()


def _expect_shape(shape: torch.Size, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} should have shape {list(shape)}, got {list(tensor.shape)}")


# END SOLUTION

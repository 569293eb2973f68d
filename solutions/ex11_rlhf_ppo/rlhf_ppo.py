"""RLHF with PPO: from one score for a whole response to one loss over its tokens.

A response is an episode and a token is an action. Tensors are `[B, T]`, B responses on T places; a
mask says which places the policy filled. Before, between and behind those stand tokens of the
prompt, of a tool, of padding. No number that is found there, up to 1e4 in size, may change an
answer or a gradient. The float tensors of a call have one dtype; B and T are at least 1.
"""

import torch
from torch import Tensor


def token_rewards(
    scores: Tensor, log_probs: Tensor, ref_log_probs: Tensor, mask: Tensor, *, beta: float
) -> Tensor:
    """A reward for every token: the KL penalty on each, and the score on the last.

        r[b, t] = -beta * (log pi[b, t] - log pi_ref[b, t])        on counted tokens, else 0
        r[b, last counted t] += scores[b]

    The same as `kl_penalised_rewards` of exercise 9. A row without a counted token gets zeros.
    Source: Ziegler et al., Fine-Tuning Language Models from Human Preferences (arXiv:1909.08593),
    section 2.2; Ouyang et al., InstructGPT (arXiv:2203.02155), section 3.5.

    Args:
        scores: [B] float or int, of each whole response, in reward units.
        log_probs: [B, T] float, nats, of the policy that wrote the responses.
        ref_log_probs: [B, T] float, nats, of the same tokens under the reference.
        mask: [B, T] bool, True where a token counts; counted tokens need not be neighbours.
        beta: reward units for each nat, at least 0.

    Returns:
        [B, T] float, in reward units, in the dtype of `log_probs`. Carries no gradient.

    Raises:
        ValueError: `log_probs` is not [B, T]; the shape of `ref_log_probs` or `mask` differs from
            it; `scores` is not [B].
    """
    # BEGIN SOLUTION
    _expect_table(log_probs=log_probs)
    _expect_shape(log_probs.shape, ref_log_probs=ref_log_probs, mask=mask)
    _expect_shape(log_probs.shape[:1], scores=scores)
    penalty = beta * (log_probs - ref_log_probs).detach()
    places = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, places, -1).amax(dim=1, keepdim=True)
    score = scores.detach().unsqueeze(1) * (places == last)
    return torch.where(mask, score - penalty, 0.0).to(log_probs.dtype)
    # END SOLUTION


def token_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, *, discount: float, lam: float
) -> tuple[Tensor, Tensor]:
    """How much better each token was than the critic expected, and what it should have expected.

    Along each row, with t' for the next counted place after t:

        delta[t]  = r[t] + discount * V[t'] - V[t]
        A[t]      = delta[t] + discount * lam * A[t']
        target[t] = A[t] + V[t]

    After the last counted token the response is over: V[t'] and A[t'] are 0 there, whatever stands
    behind, and also where the length limit cut the response off. A place that does not count is no
    step: it is passed over, costs no factor, and gets 0 in both answers. The advantages are not
    whitened.
    Source: Schulman et al., Generalized Advantage Estimation (arXiv:1506.02438), equation 16; as in
    Ziegler et al. (arXiv:1909.08593), with discount 1 and lam 0.95.

    Args:
        rewards: [B, T] float, as from `token_rewards`.
        values: [B, T] float, in reward units; what the critic expected before the token at t was
            chosen.
        mask: [B, T] bool, True where a token counts; counted tokens need not be neighbours.
        discount: from 0 to 1, both included, for each counted token; no unit.
        lam: lambda, from 0 to 1, both included; no unit.

    Returns:
        The advantages and the targets, each [B, T] float, in reward units. Float64 in, float64
        out. Neither carries gradient.

    Raises:
        ValueError: `rewards` is not [B, T], or the shape of `values` or `mask` differs from it.
    """
    # BEGIN SOLUTION
    _expect_table(rewards=rewards)
    _expect_shape(rewards.shape, values=values, mask=mask)
    rewards, values = rewards.detach(), values.detach()
    advantages = torch.zeros_like(values)
    next_value = next_advantage = torch.zeros_like(values[:, 0])
    for t in reversed(range(mask.shape[1])):
        counted = mask[:, t]
        delta = rewards[:, t] + discount * next_value - values[:, t]
        advantage = delta + discount * lam * next_advantage
        advantages[:, t] = torch.where(counted, advantage, 0.0)
        next_value = torch.where(counted, values[:, t], next_value)
        next_advantage = torch.where(counted, advantage, next_advantage)
    return advantages, torch.where(mask, advantages + values, 0.0)
    # END SOLUTION


def whiten(advantages: Tensor, mask: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Advantages with mean zero and standard deviation one over all counted tokens of the batch.

        A'[b, t] = (A[b, t] - mean) / (std + eps) where counted, 0 elsewhere

    `std` divides by n - 1, n being the number of counted tokens, and eps is added to it, not to the
    variance. One counted token, or any number of equal advantages, come out as exactly 0, although
    their sum may be rounded; nearly equal ones do not. The same as `normalise_advantages` of
    exercise 3.
    Source: Huang et al., The N+ Implementation Details of RLHF with PPO (arXiv:2403.17031); divisor
    as in TRL and verl, which add eps to the variance.

    Args:
        advantages: [B, T] float, in reward units.
        mask: [B, T] bool, True where a token counts.
        eps: above 0, in reward units.

    Returns:
        [B, T] float, no unit, in the dtype of `advantages`. Carries no gradient.

    Raises:
        ValueError: `advantages` is not [B, T], or the shape of `mask` differs from it.
    """
    # BEGIN SOLUTION
    _expect_table(advantages=advantages)
    _expect_shape(advantages.shape, mask=mask)
    counted = advantages.detach()[mask]
    # Measured from the first of them, equal advantages are all zeros before any mean is taken.
    relative = counted - counted[:1]
    deviations = relative - _mean(relative)
    std = (deviations.square().sum() / max(deviations.numel() - 1, 1)).sqrt()
    whitened = torch.zeros_like(advantages)
    whitened[mask] = deviations / (std + eps)
    return whitened
    # END SOLUTION


def rlhf_ppo_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    values: Tensor,
    old_values: Tensor,
    advantages: Tensor,
    targets: Tensor,
    mask: Tensor,
    *,
    epsilon: float,
    value_epsilon: float,
    value_coefficient: float,
) -> Tensor:
    """The clipped losses of policy and critic over all counted tokens, joined.

        ratio = exp(log_probs - old_log_probs)
        near  = old_values + clip(values - old_values, -value_epsilon, value_epsilon)

        policy term = - mean of min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A)
        value term  = 1/2 * mean of max((values - target)^2, (near - target)^2)
        loss        = policy term + value_coefficient * value term

    Both means are over all counted tokens of the batch alike, so a longer response weighs more. The
    advantages are used as they come: nothing is whitened here. There is no KL term; the penalty is
    in the rewards already.
    Source: Schulman et al., Proximal Policy Optimization (arXiv:1707.06347), equations 7 and 9;
    value clip as in OpenAI's lm-human-preferences.

    Args:
        log_probs: [B, T] float, nats, of the policy that is trained.
        old_log_probs: [B, T] float, nats, of the policy that wrote the responses.
        values: [B, T] float, of the critic that is trained, in reward units.
        old_values: [B, T] float, of the critic at the time of the rollout.
        advantages: [B, T] float, whitened or not.
        targets: [B, T] float, in reward units.
        mask: [B, T] bool, True where a token counts.
        epsilon: half the width of the policy's clip, above 0; no unit.
        value_epsilon: how far a value may move, above 0, in reward units.
        value_coefficient: weight of the value term, at least 0.

    Returns:
        [] float, to be minimised; 0 where nothing counts, with or without a graph behind it.
        Float64 in, float64 out. Gradient flows to `log_probs` and `values` alone.

    Raises:
        ValueError: `log_probs` is not [B, T], or the shape of another tensor differs from it.
    """
    # BEGIN SOLUTION
    _expect_table(log_probs=log_probs)
    _expect_shape(log_probs.shape, old_log_probs=old_log_probs, values=values)
    _expect_shape(log_probs.shape, old_values=old_values, advantages=advantages)
    _expect_shape(log_probs.shape, targets=targets, mask=mask)
    # Only counted tokens from here on, so that no exp of something else can overflow.
    ratio = (log_probs - old_log_probs.detach())[mask].exp()
    advantages = advantages.detach()[mask]
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    surrogate = torch.minimum(ratio * advantages, clipped * advantages)
    values, old_values, targets = values[mask], old_values.detach()[mask], targets.detach()[mask]
    near = old_values + (values - old_values).clamp(-value_epsilon, value_epsilon)
    errors = torch.maximum((values - targets).square(), (near - targets).square())
    return -_mean(surrogate) + value_coefficient * 0.5 * _mean(errors)
    # END SOLUTION


def kl_to_reference(log_probs: Tensor, ref_log_probs: Tensor, mask: Tensor) -> Tensor:
    """How far the policy has gone from its reference: KL(pi || pi_ref) of whole responses.

        the mean over b of (the sum over counted t of log pi[b, t] - log pi_ref[b, t])

    The k1 estimate from responses that the policy wrote. A sum over tokens: the log-probability of
    a response is the sum of those of its tokens. A row without a counted token adds 0 and is still
    one of the B. A diagnostic, to be read beside the mean score.
    Source: Schulman, Approximating KL Divergence (2020); Stiennon et al., Learning to Summarize
    from Human Feedback (arXiv:2009.01325), on the score against the KL.

    Args:
        log_probs: [B, T] float, nats, of the policy that wrote the responses.
        ref_log_probs: [B, T] float, nats, of the same tokens under the reference.
        mask: [B, T] bool, True where a token counts.

    Returns:
        [] float, in nats for each response; may be below 0, as an estimate. Carries no gradient.

    Raises:
        ValueError: `log_probs` is not [B, T], or the shape of another tensor differs from it.
    """
    # BEGIN SOLUTION
    _expect_table(log_probs=log_probs)
    _expect_shape(log_probs.shape, ref_log_probs=ref_log_probs, mask=mask)
    gaps = torch.where(mask, (log_probs - ref_log_probs).detach(), 0.0)
    return gaps.sum(dim=1).mean()
    # END SOLUTION


def explained_variance(values: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Which share of what the targets vary the critic foresaw.

        1 - variance of (targets - values) / variance of targets        over all counted tokens

    1 for a perfect critic, 0 for one that says the same everywhere, below 0 for one that is worse
    than that. A constant offset of the values does not show. Exactly 0 where the targets do not
    vary: where all are equal, not nearly equal, or fewer than two count. A diagnostic.
    Source: OpenAI Baselines, common/math_util.py.

    Args:
        values: [B, T] float, in reward units.
        targets: [B, T] float, in reward units.
        mask: [B, T] bool, True where a token counts.

    Returns:
        [] float, at most 1; no unit. Carries no gradient.

    Raises:
        ValueError: `values` is not [B, T], or the shape of another tensor differs from it.
    """
    # BEGIN SOLUTION
    _expect_table(values=values)
    _expect_shape(values.shape, targets=targets, mask=mask)
    values, targets = values.detach()[mask], targets.detach()[mask]
    if bool((targets == targets[:1]).all()):
        return torch.zeros((), dtype=values.dtype, device=values.device)
    return 1 - (targets - values).var() / targets.var()
    # END SOLUTION


# BEGIN SOLUTION
def _mean(counted: Tensor) -> Tensor:
    """The mean of an [n] tensor, 0 where it is empty."""
    return counted.sum() / max(counted.numel(), 1)


def _expect_table(**arguments: Tensor) -> None:
    """Raise ValueError for the first argument that has not two axes."""
    for name, tensor in arguments.items():
        if tensor.ndim != 2:
            raise ValueError(f"{name} should be [B, T], got {list(tensor.shape)}")


def _expect_shape(shape: torch.Size, **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} should have shape {list(shape)}, got {list(tensor.shape)}")


# END SOLUTION

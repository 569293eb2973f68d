"""Group-relative policy optimisation: advantages without a critic, and the loss they go into.

Each of P prompts is answered G times. The G completions of one prompt are a group, and they are
one another's baseline. The loss takes all B = P * G completions at once, as rows of T tokens.
Floats are float32 or float64.
"""

import torch
from torch import Tensor


def dr_grpo_advantages(rewards: Tensor) -> Tensor:
    """How much better each completion is than the average of its group.

        A[p, g] = r[p, g] - mean(r[p])

    Nothing is divided by a standard deviation. A tied group, one whose rewards are all the same
    number, gives exactly zero, although in float32 the mean of equal numbers need not be that
    number.
    Source: Liu et al., Understanding R1-Zero-Like Training (arXiv:2503.20783), section 3.2.

    Args:
        rewards: [P, G] float or any int, in reward units; row p has the rewards of prompt p.

    Returns:
        [P, G] float, in reward units. The dtype of `rewards`, or float32 where that is an integer
        dtype. Carries no gradient.

    Raises:
        ValueError: `rewards` is not [P, G] with G at least 2.
    """
    # BEGIN SOLUTION
    rewards = _groups(rewards)
    # Measured from the group's first reward, a tied group is all zeros before any mean is taken.
    relative = rewards - rewards[:, :1]
    return relative - relative.mean(dim=1, keepdim=True)
    # END SOLUTION


def leave_one_out_advantages(rewards: Tensor) -> Tensor:
    """How much better each completion is than the average of the others in its group (RLOO).

        A[p, g] = r[p, g] - mean of r[p, h] over all h other than g

    A tied group gives exactly zero.
    Source: Ahmadian et al., Back to Basics (arXiv:2402.14740), on RLOO; first in Kool et al., Buy 4
    REINFORCE Samples, Get a Baseline for Free! (2019).

    Args:
        rewards: [P, G] float or any int, in reward units; row p has the rewards of prompt p.

    Returns:
        [P, G] float, in reward units. The dtype of `rewards`, or float32 where that is an integer
        dtype. Carries no gradient.

    Raises:
        ValueError: `rewards` is not [P, G] with G at least 2.
    """
    # BEGIN SOLUTION
    centred = dr_grpo_advantages(rewards)
    completions = rewards.shape[1]
    return centred * (completions / (completions - 1))
    # END SOLUTION


def group_advantages(rewards: Tensor, *, eps: float = 1e-4) -> Tensor:
    """How many standard deviations each completion lies above the average of its group (GRPO).

        A[p, g] = (r[p, g] - mean(r[p])) / (std(r[p]) + eps)

    `std` divides the sum of squares by G - 1, and `eps` is added to the std, not to the variance.
    A tied group gives exactly zero; rewards that differ, however little, are not tied. The rewards
    of a group may lie far from zero and near to one another.
    Source: Shao et al., DeepSeekMath (arXiv:2402.03300), section 4.1.2.

    Args:
        rewards: [P, G] float or any int, in reward units; row p has the rewards of prompt p.
        eps: above 0, in reward units.

    Returns:
        [P, G] float, no unit. The dtype of `rewards`, or float32 where that is an integer dtype.
        Carries no gradient.

    Raises:
        ValueError: `rewards` is not [P, G] with G at least 2.
    """
    # BEGIN SOLUTION
    centred = dr_grpo_advantages(rewards)
    spread = centred.std(dim=1, keepdim=True)
    return centred / (spread + eps)
    # END SOLUTION


def group_signal(rewards: Tensor) -> Tensor:
    """Which share of the groups can teach anything: those whose rewards are not all equal.

        signal = (number of groups with at least two different rewards) / P

    Source: Yu et al., DAPO (arXiv:2503.14476), section 3.2, on dynamic sampling.

    Args:
        rewards: [P, G] float, or int up to 2**24 in size, in reward units; any numbers, not only 0
            and 1, however near to one another.

    Returns:
        [] float, from 0 to 1.

    Raises:
        ValueError: `rewards` is not [P, G] with G at least 2.
    """
    # BEGIN SOLUTION
    rewards = _groups(rewards)
    contrast = (rewards != rewards[:, :1]).any(dim=1)
    return contrast.to(rewards.dtype).mean()
    # END SOLUTION


def grpo_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    ref_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    epsilon: float,
    beta: float,
    aggregation: str,
    constant: float | None = None,
) -> Tensor:
    """The loss of GRPO: clipped surrogate plus KL penalty, token by token, then aggregated.

        ratio[b, t] = exp(log_probs[b, t] - old_log_probs[b, t])
        gap[b, t]   = ref_log_probs[b, t] - log_probs[b, t]
        k3[b, t]    = exp(gap[b, t]) - gap[b, t] - 1
        loss[b, t]  = -min(ratio * A[b], clip(ratio, 1 - epsilon, 1 + epsilon) * A[b]) + beta * k3

    Nothing but the ratio is clipped, and that only as above: not the log-ratio, the gap or k3.
    Only tokens under the mask count; what stands elsewhere, as long as its own ratio * A[b], k3 and
    beta * k3 are finite numbers, changes neither the loss nor any gradient. The tokens' losses
    become one number in one of three ways:

        "token_mean"     their sum over the batch / the number of counted tokens in the batch
        "sequence_mean"  the mean over all B rows of each row's own token mean
        "constant"       their sum over the batch / (B * constant)

    A row without a counted token adds 0 and is still one of the B rows. A batch without any gives
    0, on which `backward()` works. Nothing is added to a number of tokens. The advantages are used
    as they come: nothing is normalised here.

    A batch may be split into microbatches. Weigh one of b rows with n counted tokens, of B and N,
    by n / N for "token_mean" and by b / B for the other two; then losses and gradients add up.
    Source: Shao et al., DeepSeekMath (arXiv:2402.03300), equations 3 and 4; "constant" from Liu et
    al., Understanding R1-Zero-Like Training (arXiv:2503.20783), section 3.2.

    Args:
        log_probs: [B, T] float, nats, of the policy that is trained; the only input that gets
            gradient.
        old_log_probs: [B, T] float, nats, of the policy that wrote the completions.
        ref_log_probs: [B, T] float, nats, of the reference policy.
        advantages: [B] float, one for each completion.
        mask: [B, T] bool, True where a token counts.
        epsilon: half-width of the clip, above 0; at 1 or more there is no clip from below.
        beta: coefficient of the KL penalty, at least 0.
        aggregation: "token_mean", "sequence_mean" or "constant".
        constant: above 0, in tokens, usually the longest completion allowed; needed by
            "constant", read by no other aggregation.

    Returns:
        [] float, to be minimised. Float64 in, float64 out.

    Raises:
        ValueError: `log_probs` is not [B, T]; the shape of `old_log_probs`, `ref_log_probs` (for
            beta = 0, too) or `mask` is not that of `log_probs`; `advantages` is not [B];
            `aggregation` is none of the three; `constant` is missing where it is needed.
    """
    # BEGIN SOLUTION
    if log_probs.ndim != 2:
        raise ValueError(f"log_probs should be [B, T], got {list(log_probs.shape)}")
    batch, time = log_probs.shape
    _expect_shape([batch, time], old_log_probs=old_log_probs, ref_log_probs=ref_log_probs)
    _expect_shape([batch, time], mask=mask)
    _expect_shape([batch], advantages=advantages)
    # Blanked before exp: an infinity behind the mask would come back as NaN in the gradient.
    log_ratio = (log_probs - old_log_probs.detach()).masked_fill(~mask, 0.0)
    gap = (ref_log_probs.detach() - log_probs).masked_fill(~mask, 0.0)
    advantage = advantages.detach().unsqueeze(1)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - epsilon, 1.0 + epsilon)
    surrogate = torch.minimum(ratio * advantage, clipped * advantage)
    kl = gap.expm1() - gap
    per_token = (beta * kl - surrogate).masked_fill(~mask, 0.0)
    return _aggregate(per_token, mask, aggregation, constant)
    # END SOLUTION


# BEGIN SOLUTION
def _groups(rewards: Tensor) -> Tensor:
    """Rewards as floats without gradient; a ValueError unless they are [P, G] with G >= 2."""
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards should be [P, G] with G >= 2, got {list(rewards.shape)}")
    if not rewards.is_floating_point():
        rewards = rewards.float()
    return rewards.detach()


def _aggregate(per_token: Tensor, mask: Tensor, how: str, constant: float | None) -> Tensor:
    """One number from losses [B, T] that are zero wherever the mask is False."""
    tokens = mask.sum(dim=1)
    if how == "token_mean":
        return per_token.sum() / tokens.sum().clamp(min=1)
    if how == "sequence_mean":
        return (per_token.sum(dim=1) / tokens.clamp(min=1)).mean()
    if how != "constant":
        raise ValueError(
            f"aggregation should be 'token_mean', 'sequence_mean' or 'constant', got {how!r}"
        )
    if constant is None:
        raise ValueError("constant should be a number of tokens, got None")
    return per_token.sum() / (len(mask) * constant)


def _expect_shape(shape: list[int], **arguments: Tensor) -> None:
    """Raise ValueError for the first argument of another shape; broadcasting would hide it."""
    for name, tensor in arguments.items():
        if list(tensor.shape) != shape:
            raise ValueError(f"{name} should have shape {shape}, got {list(tensor.shape)}")


# END SOLUTION

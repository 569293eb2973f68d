"""PPO's clipped losses: how far one batch of experience may move a policy and its critic.

Tensors are `[N]`, a minibatch of transitions, or `[B, T]`, B rows of T steps or tokens. Where an
action has D components, its log-probs are `[N, D]` or `[B, T, D]` and `joint=True` says so. Only
entries at which `mask` is True count; what stands elsewhere, as long as its own term is a finite
number, changes nothing.
"""

import torch
from torch import Tensor


def probability_ratio(log_probs: Tensor, old_log_probs: Tensor, *, joint: bool = False) -> Tensor:
    """How many times likelier each action has become since it was taken.

        r = pi(a) / pi_old(a) = exp(log pi(a) - log pi_old(a))

    With `joint`, the probability of an action is the product over its components; a component's
    own ratio may be too large or too small for a float. Nothing bounds r: log r = 30 gives exp(30).
    Source: Schulman et al., Proximal Policy Optimization (arXiv:1707.06347), section 3.

    Args:
        log_probs: [N] or [B, T] float, with one more axis D where `joint`; log pi(a) under the
            policy that is being trained, in nats.
        old_log_probs: same shape, float; log pi_old(a) under the policy that took the action.
        joint: the last axis holds the components of one action, whose log-probs belong together.

    Returns:
        [N] or [B, T] float, no unit. Gradient flows to `log_probs`, never to `old_log_probs`.

    Raises:
        ValueError: the shape of `old_log_probs` differs from that of `log_probs`.
    """
    raise NotImplementedError


def ppo_clip_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    epsilon: float,
    joint: bool = False,
) -> Tensor:
    """PPO's policy loss: improve on the old policy, and stop where the ratio has moved enough.

        loss = - mean of min(r * A, clip(r, 1 - epsilon, 1 + epsilon) * A)

    The mean is over all counted entries alike: a longer row weighs more. The advantages are used
    as they are, not normalised.
    Source: Schulman et al., Proximal Policy Optimization (arXiv:1707.06347), equation 7.

    Args:
        log_probs: [N] or [B, T] float, with one more axis D where `joint`; log pi(a) under the
            policy that is being trained, in nats.
        old_log_probs: same shape, float; log pi_old(a) under the policy that took the action.
        advantages: [N] or [B, T] float, in any unit; the loss has it too.
        mask: [N] or [B, T] bool; True where an entry counts.
        epsilon: half the width of the clip, above 0; no unit.
        joint: the last axis of the log-probs holds the components of one action.

    Returns:
        [] float, in the unit of the advantages; 0 where nothing counts. Float64 in, float64 out.
        Gradient flows to `log_probs` alone. `backward()` always works, and gives 0 where nothing
        counts or everything is clipped.

    Raises:
        ValueError: the shape of `old_log_probs` differs from that of `log_probs`, or the shape of
            `advantages` or `mask` from that of the ratio.
    """
    raise NotImplementedError


def clip_case(advantage: float, ratio: float, *, epsilon: float) -> tuple[str, bool]:
    """Which of the two terms PPO takes the minimum of is active, and whether it teaches nothing.

    The clipped term is active where it is the smaller one. Where the two are equal, as they are
    inside the clip, the unclipped one is. An advantage of 0 teaches nothing either.
    Source: Schulman et al., Proximal Policy Optimization (arXiv:1707.06347), figure 1.

    Args:
        advantage: in any unit.
        ratio: above 0; no unit. Not exactly 1 - epsilon or 1 + epsilon, where the loss has a kink.
        epsilon: half the width of the clip, above 0; no unit.

    Returns:
        "clipped" or "unclipped", and whether the derivative of the active term with respect to
        the ratio is 0.
    """
    raise NotImplementedError


def clip_fraction(ratio: Tensor, mask: Tensor, *, epsilon: float) -> Tensor:
    """The share of counted entries whose ratio has left the clip, on either side.

        mean of 1 where |r - 1| > epsilon, else 0

    A diagnostic. It counts more than the entries without gradient: see `clip_case`.

    Args:
        ratio: [N] or [B, T] float, as from `probability_ratio`; no unit.
        mask: same shape, bool; True where an entry counts.
        epsilon: half the width of the clip, above 0; no unit.

    Returns:
        [] float from 0 to 1, in the dtype of `ratio`; 0 where nothing counts. Carries no gradient.

    Raises:
        ValueError: the shape of `mask` differs from that of `ratio`.
    """
    raise NotImplementedError


def approximate_kl(
    log_probs: Tensor, old_log_probs: Tensor, mask: Tensor, *, joint: bool = False
) -> Tensor:
    """How far the policy has moved, estimated from actions that the old policy took.

        mean of (r - 1) - log r,   whose expectation under pi_old is KL(pi_old || pi)

    No entry of it is negative. A diagnostic, for instance to end the epochs early.
    Source: Schulman, Approximating KL Divergence (2020), estimator k3, with q = pi_old, p = pi.

    Args:
        log_probs: [N] or [B, T] float, with one more axis D where `joint`; log pi(a) under the
            policy that is being trained, in nats.
        old_log_probs: same shape, float; log pi_old(a) under the policy that took the action.
        mask: [N] or [B, T] bool; True where an entry counts.
        joint: the last axis of the log-probs holds the components of one action.

    Returns:
        [] float, in nats; 0 where nothing counts. Float64 in, float64 out. Carries no gradient.

    Raises:
        ValueError: the shape of `old_log_probs` differs from that of `log_probs`, or the shape of
            `mask` from that of the ratio.
    """
    raise NotImplementedError


def clipped_value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, *, epsilon: float
) -> Tensor:
    """A critic's squared error that stops paying for moves further than epsilon.

        near = old + clip(v - old, -epsilon, epsilon)
        loss = 1/2 * mean of max((v - R)^2, (near - R)^2)

    The larger error is taken for each entry by itself.
    Source: OpenAI Baselines, ppo2; Engstrom et al., Implementation Matters (arXiv:2005.12729),
    section 2 (with the larger error, as in their code).

    Args:
        values: [N] or [B, T] float; V(s) of the critic that is being trained, in reward units.
        old_values: same shape, float; V(s) of the critic at the time of the rollout.
        returns: same shape, float; what V(s) should have been, in reward units.
        mask: same shape, bool; True where an entry counts.
        epsilon: how far a value may move, above 0, in reward units; not a share of the value.

    Returns:
        [] float, in squared reward units; 0 where nothing counts. Float64 in, float64 out.
        Gradient flows to `values` alone. `backward()` always works, and gives 0 where nothing
        counts or everything is clipped.

    Raises:
        ValueError: the shape of an argument differs from that of `values`.
    """
    raise NotImplementedError


def minibatch_indices(
    count: int, minibatch_size: int, *, generator: torch.Generator
) -> list[Tensor]:
    """One epoch: every index exactly once, in random order, in minibatches.

    Every order is equally likely. All randomness comes from `generator`, which moves on: calling
    again with it gives the next epoch, in another order.

    Args:
        count: how many transitions there are, at least 1.
        minibatch_size: how many of them go into a minibatch, at least 1. Where it does not divide
            `count`, the last minibatch has the rest; where it is larger, there is one minibatch.
        generator: a torch.Generator on the CPU.

    Returns:
        int64 tensors of indices from 0 to count - 1: [minibatch_size] each, the last may be
        shorter, none is empty.

    Raises:
        ValueError: `count` or `minibatch_size` is below 1.
    """
    raise NotImplementedError

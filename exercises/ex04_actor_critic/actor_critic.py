"""Actor-critic: a policy that learns from a critic, and a critic that learns from itself.

Time is the last axis everywhere: `[T]` for one rollout, `[B, T]` for several side by side. Every
step of a rollout counts, so nothing here takes a mask. Flags and values of step t belong to the
transition from s[t] to s[t + 1]; where an episode ends, s[t + 1] is its final observation, never
that of the reset. Log-probs and entropies are in nats. No axis is empty. Floats are float32 or
float64, and those of one call have the same dtype, which its answer has too. Tensors may have gaps
in memory, and no function changes its arguments.
"""

import math

import torch
from torch import Tensor, nn


class ActorCritic(nn.Module):
    """A policy and a value for each observation, by two heads on one shared trunk.

        hidden = tanh(W observation + b)      logits = W_actor hidden + b_actor
                                              value  = w_critic . hidden + b_critic

    The parameters are the weights [out, in] and biases [out] of these three linear layers and
    nothing else; their names are yours to choose.

    Every new network starts from random orthogonal weights, scaled by a gain: sqrt(2) for the
    trunk, 0.01 for the actor head, 1 for the critic head. That is, all singular values of a weight
    equal its gain. All biases start at zero. So the fresh policy is nearly uniform.
    Source: Mnih et al., A3C (arXiv:1602.01783), section 4, for the shared trunk; Andrychowicz et
    al. (arXiv:2006.05990), section 3.2, for the small last layer of the policy.
    """

    def __init__(self, observation_size: int, action_count: int, *, hidden_size: int = 64) -> None:
        """Build the three layers and initialise them as said above.

        Args:
            observation_size: O, entries of an observation.
            action_count: A, actions to choose from.
            hidden_size: H, units of the trunk.
        """
        super().__init__()
        raise NotImplementedError

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values, both attached to the trunk.

        Args:
            observations: [..., O] float, with any number of leading axes, also none. They have
                the dtype of the parameters: float64 after `.double()`.

        Returns:
            A tuple: logits [..., A], in nats, unnormalised; and values [...], in reward units,
            without a trailing axis of 1. Both have the dtype of the observations.

        Raises:
            ValueError: the last axis of `observations` is not O. The message names `observations`.
        """
        raise NotImplementedError


def td_targets(
    rewards: Tensor, next_values: Tensor, terminated: Tensor, *, discount: float
) -> Tensor:
    """What the critic is regressed on: one reward, and the critic's own guess at the rest.

        target[t] = r[t] + discount * V(s[t + 1]) * (1 - terminated[t])

    Truncated steps need no care: `next_values` holds the value of the final observation there.
    Source: Sutton and Barto, Reinforcement Learning (2018), section 6.1.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        next_values: same shape, float, V(s[t + 1]) in reward units. After a terminated step stands
            some finite number that means nothing and does not count.
        terminated: same shape, bool; the episode ended in a terminal state at this step.
        discount: from 0 to 1, both included; no unit.

    Returns:
        Same shape, in reward units, the dtype of `next_values` also where the rewards are int.
        Carries no gradient.

    Raises:
        ValueError: the shape of an argument differs from that of `rewards`. The message names the
            argument.
    """
    raise NotImplementedError


def td_errors(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    *,
    discount: float,
) -> Tensor:
    """How much better each step went than the critic expected.

        delta[t] = r[t] + discount * V(s[t + 1]) * (1 - terminated[t]) - V(s[t])

    With the policy's true values, its mean over what may follow s[t] and a[t] is the advantage.
    Source: Sutton and Barto, Reinforcement Learning (2018), equation 6.5.

    Args:
        rewards: [T] or [B, T] float or int, in reward units.
        values: same shape, float, V(s[t]) in reward units.
        next_values: same shape, float, V(s[t + 1]) in reward units. After a terminated step stands
            some finite number that means nothing and does not count.
        terminated: same shape, bool; the episode ended in a terminal state at this step.
        discount: from 0 to 1, both included; no unit.

    Returns:
        Same shape, in reward units, the dtype of `next_values` also where the rewards are int.
        Carries no gradient.

    Raises:
        ValueError: the shape of an argument differs from that of `rewards`. The message names the
            argument.
    """
    raise NotImplementedError


def actor_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """The loss whose gradient makes actions with a positive advantage more probable.

        L = -mean over all steps of log pi(a[t] | s[t]) * A[t]

    The advantages are constants here, even if they come with a graph, and are used as they are:
    neither centred nor scaled.
    Source: Sutton and Barto, Reinforcement Learning (2018), section 13.5.

    Args:
        log_probs: [T] or [B, T] float, of the actions that were taken, in nats.
        advantages: same shape, float, in reward units. No gradient reaches them.

    Returns:
        [] float, to be minimised. Float64 in, float64 out.

    Raises:
        ValueError: the shape of `advantages` differs from that of `log_probs`. The message names
            `advantages`.
    """
    raise NotImplementedError


def critic_loss(values: Tensor, targets: Tensor) -> Tensor:
    """How far the critic is from its targets.

        L = 1/2 * mean over all steps of (V(s[t]) - target[t])^2

    The targets are constants here, even if they come with a graph: a semi-gradient.
    Source: Sutton and Barto, Reinforcement Learning (2018), section 9.3.

    Args:
        values: [T] or [B, T] float, V(s[t]) in reward units.
        targets: same shape, float, in reward units. No gradient reaches them.

    Returns:
        [] float, in squared reward units, to be minimised. Float64 in, float64 out.

    Raises:
        ValueError: the shape of `targets` differs from that of `values`; nothing is broadcast. The
            message names `targets`.
    """
    raise NotImplementedError


def actor_critic_loss(
    logits: Tensor,
    actions: Tensor,
    values: Tensor,
    targets: Tensor,
    *,
    value_coefficient: float = 0.5,
    entropy_coefficient: float = 0.01,
) -> Tensor:
    """One loss for both heads: act better, predict better, stay curious.

        L = actor_loss(log pi(a[t] | s[t]), target[t] - V(s[t]))
            + value_coefficient * critic_loss(V(s[t]), target[t])
            - entropy_coefficient * mean over all steps of H(pi(. | s[t]))

    The advantage is the target less the value, as a constant. So the values get gradient from the
    critic's term alone, the logits from the other two, the targets from none. Logits of plus or
    minus 200 give a finite loss and finite gradients. With the half in `critic_loss`, a value
    coefficient of 0.5 means a quarter of the mean squared error.
    Source: Mnih et al., A3C (arXiv:1602.01783), section 4 and algorithm S3.

    Args:
        logits: [T, A] or [B, T, A] float, in nats, unnormalised.
        actions: [T] or [B, T] int64, the actions that were taken, from 0 to A - 1.
        values: same shape as `actions`, float, V(s[t]) in reward units.
        targets: same shape, float, in reward units. No gradient reaches them.
        value_coefficient: weight of the critic's term, 0 or more.
        entropy_coefficient: weight of the entropy, 0 or more, in reward units for each nat.

    Returns:
        [] float, to be minimised. Float64 in, float64 out.

    Raises:
        ValueError: the shape of `actions`, `values` or `targets` is not that of `logits` without
            its last axis. The message names the argument.
    """
    raise NotImplementedError

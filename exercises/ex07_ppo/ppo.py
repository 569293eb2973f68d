"""PPO, assembled: roll out, estimate advantages, take clipped minibatch steps, and again.

A rollout is a dict of tensors [B, T], B environments for T steps, time last; its observations are
[B, T, O]. A policy is a module that maps observations [..., O] to a plain tuple: logits [..., A]
and values [...]. Flags and values of step t belong to the transition from s[t] to s[t + 1]; where
an episode ends, s[t + 1] is its final observation, never that of the reset. Log-probs and entropies
are in nats. No function changes a tensor that it is given.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv


def collect_rollout(
    envs: "VectorEnv",
    policy: nn.Module,
    observations: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
) -> tuple[dict[str, Tensor], Tensor]:
    """What happened in B environments for T steps under the policy, sampled.

    `envs.step(actions)` takes a numpy array [B] of whole numbers and returns new numpy arrays
    (observations [B, O], rewards [B], terminated [B], truncated [B], infos) of any float dtype. An
    environment is reset in the very step that ends its episode, so the observation that comes back
    there is already the first of the next episode. The last one of the ended episode is in `infos`:
    `infos["final_obs"][b]` is an array [O] for each b at which `infos["_final_obs"]`, bool [B], is
    True, and None elsewhere. Both keys are absent where no episode ended in a step. Nothing is ever
    reset here.
    Source: Schulman et al. (arXiv:1707.06347), algorithm 1; Gymnasium, `AutoresetMode.SAME_STEP`.

    Args:
        envs: B environments, already reset.
        policy: maps observations [..., O] to logits [..., A] and values [...].
        observations: [B, O] float32, what the environments show now.
        steps: T, at least 1.
        generator: where all randomness comes from; another source may be seeded by a draw from it.
            Actions are drawn from the policy's probabilities.

    Returns:
        The rollout, and the observations [B, O] float32 that the environments show afterwards. The
        rollout has these keys, and no tensor in it carries gradient:
            observations: [B, T, O] float32, what the policy saw before it acted.
            actions: [B, T] int64.
            log_probs: [B, T] float32, of these actions under the policy that chose them.
            rewards: [B, T] float32.
            values: [B, T] float32, V(s[t]).
            next_values: [B, T] float32, V(s[t + 1]); of the final observation where an episode
                ended, either way.
            terminated: [B, T] bool.
            truncated: [B, T] bool.

    Raises:
        ValueError: `steps` is below 1. The message names `steps`.
    """
    raise NotImplementedError


def advantages_and_targets(
    rollout: dict[str, Tensor], *, discount: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantages of a rollout, and what its values are regressed on.

        delta[t] = r[t] + discount * V(s[t + 1]) * (1 - terminated[t]) - V(s[t])
        A[t] = delta[t] + discount * lam * (1 - cut[t]) * A[t + 1]
        target[t] = A[t] + V(s[t])

    `cut` is terminated or truncated; a step that is both counts as terminated. The last step of the
    rollout bootstraps from `next_values` like any other, and nothing follows it. Nothing is
    normalised.
    Source: Schulman et al. (arXiv:1506.02438), equation 16.

    Args:
        rollout: as `collect_rollout` gives it; rewards, values, next_values, terminated and
            truncated, each [B, T], are used.
        discount: from 0 to 1, both included; no unit.
        lam: lambda, from 0 to 1, both included; no unit.

    Returns:
        Advantages and targets, each [B, T] float in reward units, without gradient.

    Raises:
        ValueError: the shape of one of the five differs from that of the rewards. The message
            names its key.
    """
    raise NotImplementedError


def ppo_loss(
    logits: Tensor,
    values: Tensor,
    batch: dict[str, Tensor],
    *,
    epsilon: float,
    value_coefficient: float,
    entropy_coefficient: float,
) -> Tensor:
    """The loss of one minibatch of N steps.

        ratio[i] = pi(a[i] | s[i]) / pi_old(a[i] | s[i])
        L = - mean of min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A)
            + value_coefficient * 1/2 * mean of (V(s[i]) - target[i])^2
            - entropy_coefficient * mean of H(pi(. | s[i]))

    The advantages are used as they come; `ppo_update` normalises them. Gradient reaches `logits`
    and `values`, and nothing in the batch. Value and gradient are right, thus finite, also where
    the logits of a step differ by hundreds and probabilities underflow to 0.
    Source: Schulman et al. (arXiv:1707.06347), equations 7 and 9.

    Args:
        logits: [N, A] float, of the policy that is being trained, in nats, unnormalised.
        values: [N] float, V(s[i]) of the critic that is being trained.
        batch: these keys, and perhaps others:
            actions: [N] int64.
            log_probs: [N] float, of the actions under the policy that acted, in nats.
            advantages: [N] float.
            targets: [N] float, in reward units.
        epsilon: half the width of the clip, above 0; no unit.
        value_coefficient: weight of the critic's term.
        entropy_coefficient: weight of the entropy.

    Returns:
        [] float, to be minimised.

    Raises:
        ValueError: `values`, or one of the four, does not have the shape [N]; nothing is
            broadcast. The message names it.
    """
    raise NotImplementedError


def ppo_update(
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: dict[str, Tensor],
    *,
    discount: float = 0.99,
    lam: float = 0.95,
    epochs: int = 4,
    minibatches: int = 4,
    epsilon: float = 0.2,
    value_coefficient: float = 0.5,
    entropy_coefficient: float = 0.0,
    largest_norm: float = 0.5,
    generator: torch.Generator,
) -> dict[str, float]:
    """Improve the policy by `epochs` times `minibatches` optimiser steps on one rollout.

    Advantages and targets are computed once, before the first step. Each epoch deals the B * T
    steps out anew, at random and without replacement, into `minibatches` parts of equal size. Each
    part has its advantages normalised,

        (A - mean) / (std + 1e-8)        with the std that divides by N - 1,

    and then one loss, one gradient whose norm over all parameters together is clipped to
    `largest_norm`, and one optimiser step. All together: however many groups of parameters the
    optimiser has. What gradients were left in the parameters has no part in it; what is left there
    afterwards does not matter.
    Source: Schulman et al. (arXiv:1707.06347), algorithm 1; Huang et al., The 37 Implementation
    Details of Proximal Policy Optimization (2022), details 6, 7 and 11.

    Args:
        policy: maps observations [..., O] to logits [..., A] and values [...].
        optimizer: holds the parameters of `policy`.
        rollout: as `collect_rollout` gives it.
        discount: as in `advantages_and_targets`.
        lam: as in `advantages_and_targets`.
        epochs: how often each step is used, at least 1.
        minibatches: parts of an epoch.
        epsilon: as in `ppo_loss`.
        value_coefficient: as in `ppo_loss`.
        entropy_coefficient: as in `ppo_loss`.
        largest_norm: that the gradient of a minibatch may have.
        generator: as in `collect_rollout`.

    Returns:
        What is worth plotting, as Python floats: means over all steps of the last epoch, each as
        its minibatch found it, before the optimiser step.
            loss: of `ppo_loss`.
            approximate_kl: of ratio - 1 - log ratio, in nats.
            clip_fraction: of 1 where the ratio is outside 1 - epsilon to 1 + epsilon, else 0.

    Raises:
        ValueError: `minibatches` does not divide B * T, or a part would have fewer than 2 steps,
            which have no std. The message names `minibatches`.
    """
    raise NotImplementedError


def train_ppo(
    envs: "VectorEnv",
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    total_steps: int,
    steps: int = 128,
    on_update: Callable[[dict[str, float]], bool],
    generator: torch.Generator,
) -> None:
    """Train the policy in place: a rollout, an update, and again, until told to stop.

    The environments are reset once, at the beginning. Each rollout goes on where the last one
    ended, and is used for one `ppo_update` with its default settings. After every update
    `on_update` is called with what the update returned; the training ends when it returns False,
    or when another rollout would bring the number of steps, over all B environments together, above
    `total_steps`. The learning rate of the optimizer is left as it is: nothing is annealed.
    Source: Schulman et al. (arXiv:1707.06347), algorithm 1.

    Args:
        envs: B environments as in `collect_rollout`; `envs.num_envs` is B, and `envs.reset()`
            returns observations, a numpy array [B, O], and a dict.
        policy: maps observations [..., O] to logits [..., A] and values [...].
        optimizer: holds the parameters of `policy`.
        total_steps: the most steps that may be taken; none are where this is below B * T.
        steps: T, of each rollout.
        on_update: gets the diagnostics of each update; True to go on, False to end.
        generator: as in `collect_rollout`.
    """
    raise NotImplementedError


class ActorCritic(nn.Module):
    """Two small networks side by side, for your own experiments below."""

    def __init__(self, observation_size: int, action_count: int, hidden_size: int = 64) -> None:
        super().__init__()
        sizes = observation_size, hidden_size
        self.actor = nn.Sequential(nn.Linear(*sizes), nn.Tanh(), nn.Linear(sizes[1], action_count))
        self.critic = nn.Sequential(nn.Linear(*sizes), nn.Tanh(), nn.Linear(sizes[1], 1))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [..., A] and values [...]."""
        return self.actor(observations), self.critic(observations).squeeze(-1)


def watch_it_learn(seed: int) -> None:
    """Train on Gymnasium's CartPole-v1 and print the learning curve. A minute at most.

    Args:
        seed: of the network, the environments and the actions.
    """
    import gymnasium
    from gymnasium.vector import AutoresetMode
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    torch.set_num_threads(1)  # such small networks lose time with more
    torch.manual_seed(seed)
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    envs = RecordEpisodeStatistics(
        gymnasium.make_vec("CartPole-v1", 8, vectorization_mode="sync", vector_kwargs=same_step), 20
    )
    policy = ActorCritic(4, 2)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    updates = 0

    def on_update(diagnostics: dict[str, float]) -> bool:
        nonlocal updates
        updates += 1
        mean = sum(envs.return_queue) / max(len(envs.return_queue), 1)
        shown = "  ".join(f"{name} {value:8.4f}" for name, value in diagnostics.items())
        print(f"{updates * 1024:7,} steps  return {mean:5.1f} {'▪' * int(mean / 20):25}  {shown}")
        return bool(mean < 475)

    generator = torch.Generator().manual_seed(seed)
    envs.reset(seed=seed)
    train_ppo(
        envs, policy, optimizer, total_steps=100_000, on_update=on_update, generator=generator
    )


if __name__ == "__main__":
    import sys

    watch_it_learn(int(sys.argv[1]) if len(sys.argv) > 1 else 0)

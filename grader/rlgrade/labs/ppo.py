"""PPO on CartPole with parts that can be taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rlgrade.labs.lab import Array, Measured, Series

if TYPE_CHECKING:
    from torch import Tensor

POLES, STEPS = 8, 128
HIDDEN = 64
MINIBATCHES = 4
DISCOUNT, LAM = 0.99, 0.95


@dataclass(frozen=True)
class Ppo:
    """What is kept and what is taken out. `clip` None: no clip. `masks`: stop at episode ends."""

    clip: float | None = 0.2
    epochs: int = 4
    learning_rate: float = 1e-2
    masks: bool = True


@dataclass
class Log:
    """One number a rollout: mean return of the last 20 episodes, mean |log-ratio| and the like."""

    steps: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    divergence: list[float] = field(default_factory=list)  # nats, mean over the rollout's states
    clipped: list[float] = field(
        default_factory=list
    )  # share of ratios outside 1 +- 0.2, in the end
    entropy: list[float] = field(default_factory=list)  # nats
    value: list[float] = field(default_factory=list)  # the critic's mean


@dataclass(frozen=True)
class Rollout:
    """[T, B] of each, [T, B, 4] observations; `following` are the values V(s_{t+1})."""

    observations: Tensor
    actions: Tensor
    rewards: Array
    terminated: Array
    ended: Array
    values: Array
    following: Array


def compare(
    variants: dict[str, Ppo], seeds: Sequence[int], steps: int, panels: Sequence[str]
) -> Measured:
    """Each variant on each seed; the panels are names of fields of `Log`."""
    found: Measured = {panel: {} for panel in panels}
    for name, variant in variants.items():
        logs = [learn(variant, seed, steps) for seed in seeds]
        for panel in panels:
            rows = np.array([getattr(log, panel) for log in logs])
            found[panel][name] = Series(np.array(logs[0].steps), rows)
    return found


def learn(variant: Ppo, seed: int, steps: int) -> Log:
    """Textbook PPO: 8 poles, 128 steps, 4 minibatches, two networks of 64 tanh units, Adam."""
    from rlgrade.trainer.cartpole import CartPoles, Relabelling
    from rlgrade.trainer.devices import one_thread

    one_thread()
    random = np.random.default_rng(seed)
    poles = CartPoles(POLES, Relabelling(random), seed)
    learner = _Learner(variant, seed)
    log = Log()
    shown = poles.reset()
    while poles.steps < steps:
        rollout, shown = _roll_out(poles, learner, shown, random)
        learner.improve(rollout, random)
        log.steps.append(float(poles.steps))
        log.returns.append(poles.mean_return)
        learner.look(rollout, log)
    return log


def advantages(rollout: Rollout, *, masks: bool) -> Array:
    """[T, B] GAE; without masks it runs over episode ends, and bootstraps from the reset state."""
    goes_on = np.ones_like(rollout.rewards) if not masks else 1.0 - rollout.terminated
    runs_on = np.ones_like(rollout.rewards) if not masks else 1.0 - rollout.ended
    deltas = rollout.rewards + DISCOUNT * goes_on * rollout.following - rollout.values
    found = np.zeros_like(deltas)
    carried = np.zeros(POLES)
    for t in reversed(range(STEPS)):
        carried = deltas[t] + DISCOUNT * LAM * runs_on[t] * carried
        found[t] = carried
    return found


class _Learner:
    """Actor, critic and their optimiser."""

    def __init__(self, variant: Ppo, seed: int) -> None:
        import torch
        from torch import nn

        from rlgrade.trainer.optimiser import Adam

        def network(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(4, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))

        self.variant = variant
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor, self.critic = network(2), network(1)
        last: Any = self.actor[2]
        with torch.no_grad():
            last.weight *= 0.1
        weights = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimiser = Adam(weights, variant.learning_rate)

    def improve(self, rollout: Rollout, random: np.random.Generator) -> None:
        """Several epochs of minibatches on one rollout."""
        import torch

        raw = advantages(rollout, masks=self.variant.masks)
        targets = torch.from_numpy((raw + rollout.values).astype(np.float32)).flatten()
        scaled = torch.from_numpy(((raw - raw.mean()) / (raw.std() + 1e-8)).astype(np.float32))
        scaled = scaled.flatten()
        seen, actions = rollout.observations.flatten(0, 1), rollout.actions.flatten()
        self.old = self.log_policy(rollout.observations).detach()
        old = self.old.flatten(0, 1).gather(1, actions[:, None])[:, 0]
        for _ in range(self.variant.epochs):
            order = torch.from_numpy(random.permutation(len(seen)))
            for part in torch.tensor_split(order, MINIBATCHES):
                log_probs = self.log_policy(seen[part]).gather(1, actions[part, None])[:, 0]
                ratio = torch.exp(log_probs - old[part])
                gain = ratio * scaled[part]
                if self.variant.clip is not None:
                    edges = 1 - self.variant.clip, 1 + self.variant.clip
                    gain = torch.minimum(gain, ratio.clamp(*edges) * scaled[part])
                error = self.critic(seen[part])[:, 0] - targets[part]
                loss = 0.5 * error.square().mean() - gain.mean()
                gradients = torch.autograd.grad(loss, self.optimiser.parameters)
                self.optimiser.step(gradients, largest_norm=0.5)

    def log_policy(self, observations: Tensor) -> Tensor:
        """[..., 2] log-probs of both actions."""
        log_probs: Tensor = self.actor(observations).log_softmax(dim=-1)
        return log_probs

    def look(self, rollout: Rollout, log: Log) -> None:
        """Note how far the last update went."""
        import torch

        with torch.no_grad():
            new = self.log_policy(rollout.observations)
            gaps = self.old - new
            log.divergence.append(float((self.old.exp() * gaps).sum(dim=-1).mean()))
            chosen = gaps.gather(2, rollout.actions[..., None])
            log.clipped.append(float((torch.exp(-chosen) - 1).abs().gt(0.2).float().mean()))
            log.entropy.append(float(-(new.exp() * new).sum(dim=-1).mean()))
            log.value.append(float(rollout.values.mean()))


def _roll_out(
    poles: object, learner: _Learner, shown: Array, random: np.random.Generator
) -> tuple[Rollout, Array]:
    """128 steps of each pole, and what is seen after them."""
    import torch

    from rlgrade.trainer.cartpole import CartPoles, sample

    assert isinstance(poles, CartPoles)
    columns: list[tuple[Array, ...]] = []
    with torch.no_grad():
        for _ in range(STEPS):
            actions = sample(learner.actor(torch.from_numpy(shown)).numpy(), random)
            after, rewards, terminated, truncated, final = poles.step(actions)
            ended = terminated | truncated
            real = after if final is None else np.where(ended[:, None], final, after)
            # Without masks the mistake is complete: it looks at the state after the reset, too.
            following = real if learner.variant.masks else after
            columns.append((shown, actions, rewards, terminated, ended, following))
            shown = after
        seen, acted, paid, over, ends, then = (np.stack(c) for c in zip(*columns, strict=True))
        both = torch.from_numpy(np.stack([seen, then]))
        values = learner.critic(both)[..., 0].numpy().astype(np.float64)
    observations, chosen = torch.from_numpy(seen), torch.from_numpy(acted)
    return Rollout(observations, chosen, paid, over, ends, values[0], values[1]), shown

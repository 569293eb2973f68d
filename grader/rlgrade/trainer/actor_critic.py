"""An actor and a critic on CartPole, with the submission's functions as maths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlgrade.author.training import Attempt
from rlgrade.trainer.cartpole import Array, CartPoles, Relabelling, evaluate, sample
from rlgrade.trainer.devices import one_thread
from rlgrade.trainer.optimiser import Adam

POLES = 8
STEPS = 64
HIDDEN = 64
EVALUATE_EVERY = 3  # rollouts
PROMISING = 0.85  # of the goal, before an evaluation is worth its time


@dataclass(frozen=True)
class Steps:
    """One rollout: `following` holds the final observation where an episode ended.

    observations, following: [B, T, 4] float32. actions: [B, T] int64. rewards: [B, T] float32.
    terminated: [B, T] bool.
    """

    observations: Array
    following: Array
    actions: Array
    rewards: Array
    terminated: Array


class CartPoleActorCritic:
    """Two networks of 64 tanh units, 8 poles, and everything drawn, from one attempt's seed."""

    def __init__(self, attempt: Attempt) -> None:
        one_thread()
        self.attempt = attempt
        self.relabelling = Relabelling(attempt.random)
        self.poles = CartPoles(POLES, self.relabelling, attempt.seed, attempt.goal.budget)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(attempt.seed)
            self.actor, self.critic = _network(2), _network(1)
        with torch.no_grad():
            self.actor[2].weight *= 0.1
        self._actor = Adam(self.actor.parameters(), 5e-3)
        self._critic = Adam(self.critic.parameters(), 2e-2)
        self._shown = self.poles.reset()
        self._rollouts = 0

    @property
    def has_steps_left(self) -> bool:
        """Whether the budget allows another rollout."""
        return self.poles.steps + POLES * STEPS <= self.attempt.goal.budget

    def roll_out(self) -> Steps:
        """What happens in 64 steps of each pole under the present actor."""
        columns: list[tuple[Array, ...]] = []
        for _ in range(STEPS):
            actions = sample(self._logits(self._shown), self.attempt.random)
            shown, rewards, terminated, truncated, final = self.poles.step(actions)
            ended = (terminated | truncated)[:, None]
            following = shown if final is None else np.where(ended, final, shown)
            columns.append((self._shown, following, actions, rewards, terminated))
            self._shown = shown
        self._rollouts += 1
        return Steps(*(np.stack(column, axis=1) for column in zip(*columns, strict=True)))

    @torch.no_grad()
    def _logits(self, observations: Array) -> Array:
        logits: Array = self.actor(torch.from_numpy(observations)).numpy()
        return logits

    @torch.no_grad()
    def values(self, observations: Array) -> Array:
        """[...] what the critic thinks of observations [..., 4]."""
        values: Array = self.critic(torch.from_numpy(observations)).squeeze(-1).numpy()
        return values

    def values_with_graph(self, seen: Steps) -> Tensor:
        """[B, T] the critic's values of a rollout."""
        values: Tensor = self.critic(torch.from_numpy(seen.observations)).squeeze(-1)
        return values

    def log_probs_with_graph(self, seen: Steps) -> Tensor:
        """[B, T] the actor's log-probs of the actions of a rollout."""
        every = self.actor(torch.from_numpy(seen.observations)).log_softmax(dim=-1)
        chosen = torch.from_numpy(seen.actions).unsqueeze(-1)
        log_probs: Tensor = every.gather(-1, chosen).squeeze(-1)
        return log_probs

    def improve_actor(self, loss: Tensor) -> None:
        """One optimiser step of the actor."""
        self._actor.step(torch.autograd.grad(loss, self._actor.parameters))

    def improve_critic(self, loss: Tensor) -> None:
        """One optimiser step of the critic."""
        self._critic.step(torch.autograd.grad(loss, self._critic.parameters))

    def evaluate(self) -> float:
        """Note a point of the curve; now and then the mean return of 100 fresh episodes, else 0."""
        poles, goal = self.poles, self.attempt.goal.score
        if self._rollouts % EVALUATE_EVERY or poles.mean_return < PROMISING * goal:
            self.attempt.point(poles.steps, poles.mean_return)
            return 0.0
        score = evaluate(self._logits, self.relabelling, self.attempt.random)
        self.attempt.point(poles.steps, score)
        return score


def _network(outputs: int) -> Any:
    return nn.Sequential(nn.Linear(4, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))

"""CartPole-v1 under other names, stepped in the judge.

The dynamics are Gymnasium's own. What a submission sees is relabelled: the four numbers of an
observation stand in a random order, each with a random sign and scale, and the two actions may be
swapped. Whatever learns from rewards learns as before; what was written or trained for the usual
names acts at random.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rlgrade.author.training import Refused

Array = npt.NDArray[Any]
OBSERVATION_SIZE = 4
ACTIONS = 2
LONGEST = 500
SCALES = (0.7, 1.4)
WINDOW = 20  # episodes whose mean return is the learning curve


class Relabelling:
    """How observations and actions are disguised."""

    def __init__(self, random: np.random.Generator) -> None:
        low, high = np.log(SCALES)
        self.order = random.permutation(OBSERVATION_SIZE)
        self.factors = random.choice([-1.0, 1.0], OBSERVATION_SIZE) * np.exp(
            random.uniform(low, high, OBSERVATION_SIZE)
        )
        self.swapped = bool(random.integers(2))

    def observations(self, true: Array) -> Array:
        """[..., 4] as a submission sees them."""
        seen: Array = (true[..., self.order] * self.factors).astype(np.float32)
        return seen

    def actions(self, chosen: Array) -> Array:
        """[...] what the chosen actions really do."""
        return 1 - chosen if self.swapped else chosen


class CartPoles:
    """`count` poles side by side that start anew at the step that ends an episode.

    Observations are [B, 4] float32. Every step counts towards the budget, in all environments
    together; there is none beyond it.
    """

    observation_size = OBSERVATION_SIZE
    actions = ACTIONS

    def __init__(
        self, count: int, relabelling: Relabelling, seed: int, budget: int | None = None
    ) -> None:
        from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

        self.count = count
        self.budget = budget
        self.steps = 0
        self.finished: deque[float] = deque(maxlen=WINDOW)
        self._relabelling = relabelling
        self._random = np.random.default_rng(seed)
        self._poles: Any = CartPoleVectorEnv(num_envs=count, max_episode_steps=LONGEST)
        self._lengths = np.zeros(count)
        self._begun = False

    @property
    def mean_return(self) -> float:
        """The mean return of the last 20 episodes that ended; 0 before there is any."""
        return float(np.mean(self.finished)) if self.finished else 0.0

    def reset(self) -> Array:
        """New episodes everywhere."""
        self._begun = True
        self._lengths[:] = 0
        true, _ = self._poles.reset(seed=int(self._random.integers(2**31)))
        return self._relabelling.observations(true)

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, Array | None]:
        """Observations, rewards, terminated, truncated, and final observations where any ended.

        Raises:
            Refused: the actions are not `count` whole numbers 0 or 1, the environments were never
                reset, or the budget is spent.
        """
        chosen = self._checked(actions)
        self.steps += self.count
        true, rewards, terminated, truncated, _ = self._poles.step(
            self._relabelling.actions(chosen)
        )
        truncated = truncated & ~terminated
        ended = terminated | truncated
        self._lengths += 1
        final = None
        if ended.any():
            final = np.where(ended[:, None], self._relabelling.observations(true), 0.0)
            final = final.astype(np.float32)
            self.finished.extend(self._lengths[ended].tolist())
            self._begin_anew(ended)
            true = self._poles.state.T
        observations = self._relabelling.observations(true)
        return observations, rewards.astype(np.float32), terminated, truncated, final

    def _begin_anew(self, ended: Array) -> None:
        """Reset some poles now; Gymnasium's own would do it at the next step."""
        self._lengths[ended] = 0
        poles = self._poles
        poles.state[:, ended] = self._random.uniform(-0.05, 0.05, (4, int(ended.sum())))
        poles.steps[ended] = 0
        poles.prev_done[:] = False

    def _checked(self, actions: Any) -> Array:
        if not self._begun:
            raise Refused("reset the environments before the first step")
        if self.budget is not None and self.steps + self.count > self.budget:
            raise Refused(f"the budget of {self.budget:,} steps is spent")
        if not isinstance(actions, np.ndarray) or actions.shape != (self.count,):
            shape = list(actions.shape) if isinstance(actions, np.ndarray) else "something else"
            raise Refused(f"actions should have shape [{self.count}], got {shape}")
        if actions.dtype.kind not in "iu" or ((actions < 0) | (actions > 1)).any():
            raise Refused("actions should be whole numbers, each 0 or 1")
        return actions.astype(np.int64)


def evaluate(
    policy: Callable[[Array], Array],
    relabelling: Relabelling,
    random: np.random.Generator,
    episodes: int = 100,
) -> float:
    """The mean return of fresh episodes under a policy that is sampled.

    Args:
        policy: maps observations [B, 4] to logits [B, 2].
        relabelling: the one that the policy was trained with.
        random: the seeds of the episodes and the sampled actions come from it.
        episodes: how many, all side by side.
    """
    poles = CartPoles(episodes, relabelling, int(random.integers(2**31)))
    observations = poles.reset()
    returns = np.zeros(episodes)
    running = np.ones(episodes, dtype=bool)
    for _ in range(LONGEST):
        actions = sample(policy(observations), random)
        observations, _, terminated, truncated, _ = poles.step(actions)
        returns += running
        running &= ~(terminated | truncated)
        if not running.any():
            break
    return float(returns.mean())


def sample(logits: Array, random: np.random.Generator) -> Array:
    """[B] an action for each row of logits [B, A], by the Gumbel trick."""
    drawn: Array = np.argmax(logits + random.gumbel(size=logits.shape), axis=-1)
    return drawn

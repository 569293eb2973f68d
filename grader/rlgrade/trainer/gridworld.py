"""The course's 4 x 4 grid world, and tables of small worlds whose exact answers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SIZE = 4
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # north, east, south, west
GOAL_REWARD = 1.0
STEP_REWARD = -0.01
BEST_RETURN = 0.95  # five steps that cost, and the sixth that arrives
NAME = "rlgrade/GridWorld-v0"


@dataclass(frozen=True)
class World:
    """A deterministic world as tables.

    following: [S, A] int64, the next state; -1 where the step ends the episode.
    rewards: [S, A] float64. start: [S] float64, the distribution of the first state.
    longest: steps after which an episode is cut.
    """

    following: Array
    rewards: Array
    start: Array
    longest: int

    @property
    def states(self) -> int:
        """S."""
        return len(self.following)

    @property
    def actions(self) -> int:
        """A."""
        return int(self.following.shape[1])

    def chance_of_best(self, probabilities: Array) -> float:
        """The smallest probability of the best action, over the states that offer a choice.

        `probabilities` is [S, A].
        """
        worth = self.rewards + self._best_from(self.longest - 1)[self.following]
        offers = np.ptp(worth, axis=1) > 0
        best = np.argmax(worth, axis=1)
        chances: Array = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
        return float(chances[offers].min())

    def _best_from(self, steps: int) -> Array:
        """[S + 1] the best return within so many steps; the last entry is the end's, 0."""
        values = np.zeros(self.states + 1)
        for _ in range(steps):
            values[:-1] = (self.rewards + values[self.following]).max(axis=1)
        return values

    def expected_return(self, probabilities: Array) -> float:
        """The exact mean undiscounted return of a policy [S, A], by following all its paths."""
        here, total = self.start.astype(np.float64), 0.0
        for _ in range(self.longest):
            taken = here[:, None] * probabilities
            total += float((taken * self.rewards).sum())
            here = np.zeros(self.states)
            goes_on = self.following >= 0
            np.add.at(here, self.following[goes_on], taken[goes_on])
        return total


def grid_world(longest: int = 40) -> World:
    """The grid as tables: start (0, 0), goal (3, 3); a step into the wall stays where it is."""
    following = np.zeros((SIZE * SIZE, len(MOVES)), dtype=np.int64)
    rewards = np.full(following.shape, STEP_REWARD)
    for state in range(SIZE * SIZE):
        for action, (down, right) in enumerate(MOVES):
            row = min(max(state // SIZE + down, 0), SIZE - 1)
            column = min(max(state % SIZE + right, 0), SIZE - 1)
            following[state, action] = row * SIZE + column
            if (row, column) == (SIZE - 1, SIZE - 1):
                following[state, action] = -1
                rewards[state, action] = GOAL_REWARD
    start = np.zeros(SIZE * SIZE)
    start[0] = 1.0
    return World(following, rewards, start, longest)


def probes() -> dict[str, World]:
    """Worlds of one or two steps, each of which needs one thing more than the one before."""
    one = np.array([1.0])
    two = np.array([0.5, 0.5])
    return {
        "one step, one state, one of two actions pays": World(
            np.array([[-1, -1]]), np.array([[0.0, 1.0]]), one, 1
        ),
        "one step, two states that want different actions": World(
            np.array([[-1, -1], [-1, -1]]), np.array([[1.0, 0.0], [0.0, 1.0]]), two, 1
        ),
        "two steps, the second pays for what the first chose": World(
            np.array([[1, 2], [-1, -1], [-1, -1]]),
            np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]),
            np.array([1.0, 0.0, 0.0]),
            2,
        ),
        "one step, every reward is negative": World(
            np.array([[-1, -1, -1]]), np.array([[-1.0, -0.5, -2.0]]), one, 1
        ),
    }


@dataclass(frozen=True)
class Episodes:
    """B episodes, padded to T steps: states, actions, rewards and the mask of what happened."""

    states: Array
    actions: Array
    rewards: Array
    mask: Array

    def returns(self) -> Array:
        """[B, T] the undiscounted reward from each step on."""
        return np.cumsum(self.rewards[:, ::-1], axis=1)[:, ::-1].copy()


def roll_out(world: World, choose: Any, count: int, random: np.random.Generator) -> Episodes:
    """`count` episodes; `choose(states)` gives an action for each state [B]."""
    states = random.choice(world.states, size=count, p=world.start)
    running = np.ones(count, dtype=bool)
    steps: list[tuple[Array, ...]] = []
    for _ in range(world.longest):
        actions = choose(states)
        rewards = np.where(running, world.rewards[states, actions], 0.0)
        steps.append((states, actions, rewards, running))
        following = world.following[states, actions]
        running = running & (following >= 0)
        states = np.where(running, following, 0)
        if not running.any():
            break
    return Episodes(*(np.stack(column, axis=1) for column in zip(*steps, strict=True)))


def register() -> None:
    """Make `gymnasium.make("rlgrade/GridWorld-v0")` work. A second call changes nothing."""
    import gymnasium

    if NAME not in gymnasium.registry:
        gymnasium.register(id=NAME, entry_point="rlgrade.trainer.gridworld:make_environment")


def make_environment(render_mode: str | None = None) -> Any:
    """The grid as a Gymnasium environment: observations are cells from 0 to 15."""
    import gymnasium

    class GridWorld(gymnasium.Env[int, int]):
        metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012

        def __init__(self) -> None:
            self.world = grid_world()
            self.render_mode = render_mode
            self.observation_space = gymnasium.spaces.Discrete(SIZE * SIZE)  # type: ignore[assignment]
            self.action_space = gymnasium.spaces.Discrete(len(MOVES))  # type: ignore[assignment]
            self.cell = self.taken = 0

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            self.cell = self.taken = 0
            return self.cell, {}

        def step(self, action: Any) -> Any:
            reward = float(self.world.rewards[self.cell, action])
            following = int(self.world.following[self.cell, action])
            self.taken += 1
            terminated = following < 0
            self.cell = SIZE * SIZE - 1 if terminated else following
            truncated = not terminated and self.taken >= self.world.longest
            return self.cell, reward, terminated, truncated, {}

        def render(self) -> Any:
            if self.render_mode != "ansi":
                return None
            cells = ["." for _ in range(SIZE * SIZE)]
            cells[-1], cells[self.cell] = "G", "@"
            rows = [" ".join(cells[at : at + SIZE]) for at in range(0, SIZE * SIZE, SIZE)]
            return "\n".join(rows)

    return GridWorld()

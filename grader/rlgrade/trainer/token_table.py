"""A language model that is a table, what is lent to a GRPO loop that trains it, and its true steps.

Row v of the table has the logits of what follows token v, so the gradient of a loss can be written
down, and shows which tokens were counted, and how. Which completions are right is decided before
anything is sampled; only the texts that say so are handed out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rlgrade.author.training import Refused

Array = npt.NDArray[Any]

REWARDS = np.array([0.0, 1.0, 0.1])
NOTHING, RIGHT, FORMAT = 0, 1, 2


@dataclass(frozen=True)
class Scene:
    """Everything that a few updates of a GRPO loop see.

    table: [V, V] float64. questions: [U, P, T] tokens. verdicts: [U, P, G], each NOTHING, RIGHT or
    FORMAT.
    """

    table: Array
    questions: Array
    verdicts: Array
    eos_id: int
    max_tokens: int
    epochs: int
    epsilon: float
    temperature: float
    learning_rate: float
    seed: int

    @property
    def updates(self) -> int:
        """U."""
        return len(self.verdicts)

    @property
    def group_size(self) -> int:
        """G."""
        return int(self.verdicts.shape[2])

    def references(self, update: int) -> list[str]:
        """The right answers: all different, also from one update to the next."""
        prompts = self.questions.shape[1]
        return [str(10 + update * prompts + p) for p in range(prompts)]

    def text(self, update: int, row: int) -> str:
        """The text of a completion, as its verdict wants it, in one of several forms."""
        references = self.references(update)
        p, g = divmod(row, self.group_size)
        own, other = references[p], str(int(references[p]) + 1)
        forms = {
            NOTHING: (f"It is {own}.", rf"\boxed{{{own}}} or \boxed{{{other}}}", ""),
            RIGHT: (rf"So \boxed{{{own}}}", rf"\boxed{{+{own}.0}}!", rf"So \boxed{{0{own}}}"),
            FORMAT: (rf"So \boxed{{{other}}}", rf"So \boxed{{1{own}}} ", r"Hm \boxed{x}"),
        }
        return forms[int(self.verdicts[update, p, g])][(update + g) % 3]


@dataclass
class Noted:
    """What a loop asked for and got; its methods are lent to it.

    rows: for each update the tokens of each completion, up to and including the first EOS.
    widths: of what was decoded. told: what `on_update` was called with.
    """

    scene: Scene
    stop_after: int | None = None
    draws: int = 0
    rows: list[list[list[int]]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    def draw(self, count: Any) -> tuple[Array, list[str]]:
        """The prompts of the next update."""
        wanted = self.scene.questions.shape[1]
        if type(count) is not int or count != wanted:
            raise Refused(f"an update draws {wanted} prompts at once; draw_prompts got {count!r}")
        if self.draws == self.scene.updates:
            raise Refused(f"{self.scene.updates} updates draw prompts {self.scene.updates} times")
        self.draws += 1
        self.rows.append([])
        return self.scene.questions[self.draws - 1], self.scene.references(self.draws - 1)

    def decode(self, tokens: Any) -> list[str]:
        """The texts that the script has for the next completions."""
        whole = isinstance(tokens, np.ndarray) and tokens.ndim == 2 and tokens.dtype.kind in "iu"
        if not whole or not self.rows:
            raise Refused("decode takes a tensor [N, R] of whole numbers, once there are prompts")
        rows = self.rows[-1]
        first, most = len(rows), self.scene.verdicts[0].size
        if first + len(tokens) > 2 * most:  # a few too many are noted, so that the check can tell
            raise Refused(
                f"an update has {most} completions to decode; here are {len(tokens)} more"
            )
        for row in tokens.tolist():
            end = row.index(self.scene.eos_id) + 1 if self.scene.eos_id in row else len(row)
            rows.append(row[:end])
        self.widths.append(tokens.shape[1])
        if len(rows) > most:
            raise Refused(f"an update has {most} completions to decode; here is one more")
        return [self.scene.text(self.draws - 1, k) for k in range(first, len(rows))]

    def hear(self, told: Any) -> bool:
        """Note what is told; say whether to go on."""
        self.told.append(told)
        return self.stop_after is None or len(self.told) < self.stop_after

    def summary(self) -> list[Any]:
        """All that was noted, as plain data."""
        told = [told if type(told) is dict else {} for told in self.told]
        numbers = [{k: v for k, v in each.items() if type(v) is float} for each in told]
        return [self.draws, self.rows, self.widths, numbers]


def advantages(verdicts: Array) -> Array:
    """[P, G] from differences alone; a group's variance is half their mean square."""
    rewards = REWARDS[verdicts]
    differences = rewards[:, :, None] - rewards[:, None, :]
    group = rewards.shape[1]
    variance = (differences**2).sum(axis=(1, 2)) / (2 * group * (group - 1))
    spread: Array = np.sqrt(variance)[:, None] + 1e-4
    return np.asarray(differences.mean(axis=2) / spread)


def after_update(
    scene: Scene, update: int, table: Array, rows: list[list[int]]
) -> tuple[Array, bool]:
    """The table [V, V] after one update, and whether a ratio came so near a clip that it is unsure.

    Args:
        scene: what is trained.
        update: its number, from 0.
        table: before it.
        rows: the completions that were sampled.
    """
    judged = advantages(scene.verdicts[update]).ravel()
    last = np.repeat(scene.questions[update, :, -1], scene.group_size)
    steps = [
        (before, token, advantage)
        for start, row, advantage in zip(last, rows, judged, strict=True)
        for before, token in zip([start, *row], row, strict=False)
    ]
    old = log_softmax(table / scene.temperature)
    unsure = False
    for _ in range(scene.epochs):
        new = log_softmax(table / scene.temperature)
        climb = np.zeros_like(table)
        for before, token, advantage in steps:
            ratio = np.exp(new[before, token] - old[before, token])
            unsure |= bool(np.abs(np.abs(ratio - 1) - scene.epsilon) < 1e-5)
            held = ratio - 1 > scene.epsilon if advantage > 0 else 1 - ratio > scene.epsilon
            if not held:
                toward = np.eye(len(table))[token] - np.exp(new[before])
                climb[before] += advantage * ratio * toward / scene.temperature
        table = table + scene.learning_rate * climb / len(steps)
    return table, unsure


def log_softmax(logits: Array) -> Array:
    """Log-probabilities along the last axis."""
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))

"""One step, four actions, one of which is right: the smallest thing REINFORCE can learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlgrade.labs.lab import Array, Series

ACTIONS = 4
RIGHT = 2
HIDDEN = 64
LOOK_EVERY = 5  # episodes
LOOKED_AT = 100  # states


@dataclass(frozen=True)
class Bandit:
    """How it is learned. `baseline` is subtracted from every reward."""

    right: float = 1.0
    wrong: float = -0.1
    learning_rate: float = 3e-3
    baseline: float = 0.0


def learn(bandit: Bandit, seeds: Sequence[int], episodes: int) -> tuple[Series, Series]:
    """How often the likeliest action is the right one, and the mean chance of the right one.

    A network of 64 rectified units sees two normal numbers and answers with four logits; one
    episode is one action, one reward and one step of Adam. All seeds learn side by side.
    """
    import torch

    from rlgrade.trainer.devices import one_thread
    from rlgrade.trainer.optimiser import Adam

    one_thread()
    starts, drawn = zip(*(_drawn(seed, episodes) for seed in seeds), strict=True)
    weights = [torch.from_numpy(np.stack(w)).requires_grad_() for w in zip(*starts, strict=True)]
    shown, noise, looked_at = (torch.from_numpy(np.stack(d)) for d in zip(*drawn, strict=True))

    def logits(states: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(torch.baddbmm(weights[1], states, weights[0]))
        return torch.baddbmm(weights[3], hidden, weights[2])

    optimiser = Adam(weights, bandit.learning_rate)
    x, greedy, chance = [], [], []
    for episode in range(episodes):
        scores = logits(shown[:, episode : episode + 1])
        actions = (scores.detach() + noise[:, episode : episode + 1]).argmax(dim=-1, keepdim=True)
        rewards = torch.where(actions == RIGHT, bandit.right, bandit.wrong) - bandit.baseline
        log_probs = scores.log_softmax(dim=-1).gather(-1, actions)
        loss = -(log_probs * rewards).sum()
        optimiser.step(torch.autograd.grad(loss, weights))
        if (episode + 1) % LOOK_EVERY == 0:
            with torch.no_grad():
                seen = logits(looked_at)
            x.append(float(episode + 1))
            greedy.append((seen.argmax(dim=-1) == RIGHT).double().mean(dim=1).numpy())
            chance.append(seen.softmax(dim=-1)[..., RIGHT].double().mean(dim=1).numpy())
    return (
        Series(np.array(x), np.stack(greedy, axis=1)),
        Series(np.array(x), np.stack(chance, axis=1)),
    )


def _drawn(seed: int, episodes: int) -> tuple[list[Array], list[Array]]:
    """The first weights, then the states, the noise of the actions and the states looked at."""
    random = np.random.default_rng(seed)
    weights = []
    for inputs, outputs in ((2, HIDDEN), (HIDDEN, ACTIONS)):
        edge = inputs**-0.5
        weights.append(random.uniform(-edge, edge, (inputs, outputs)).astype(np.float32))
        weights.append(random.uniform(-edge, edge, (1, outputs)).astype(np.float32))
    draws = [
        random.normal(size=(episodes, 2)),
        random.gumbel(size=(episodes, ACTIONS)),
        random.normal(size=(LOOKED_AT, 2)),
    ]
    return weights, [each.astype(np.float32) for each in draws]

"""An advantage that is not detached: the actor's loss trains the critic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlgrade.labs.lab import Array, Figures, Lab, Measured, Panel, Question, Series, tail

DETACHED, ATTACHED = "detached", "not detached"
BATCH = 32
ACTOR_RATE, CRITIC_RATE = 0.02, 0.1
BONUS = 0.02  # entropy stays up, so that the effect can be watched


def trial(seeds: Sequence[int], small: bool) -> Measured:
    """Both variants: the return, and by how much the critic is too high against the exact value."""
    updates = 200 if small else 600
    found: Measured = {"returns": {}, "excess": {}, "entropy": {}}
    for variant, attached in ((DETACHED, False), (ATTACHED, True)):
        x, rows = _learn(seeds, updates, attached)
        for panel, row in zip(found, rows, strict=True):
            found[panel][variant] = Series(x, row)
    return found


def _learn(seeds: Sequence[int], updates: int, attached: bool) -> tuple[Array, list[Array]]:
    curves = [_one(seed, updates, attached) for seed in seeds]
    x = curves[0][0]
    return x, [np.stack([rows[number] for _, rows in curves]) for number in range(3)]


def _one(seed: int, updates: int, attached: bool) -> tuple[Array, Array]:
    """Tables for actor and critic on the 4 x 4 grid, with Monte Carlo returns."""
    from rlgrade.trainer.gridworld import grid_world, roll_out

    world, random = grid_world(longest=20), np.random.default_rng(seed)
    logits, values = np.zeros((world.states, world.actions)), np.zeros(world.states)
    x, rows = [], []
    for update in range(updates):
        policy = _softmax(logits)
        log_policy = np.log(policy)

        def choose(states: Array, log_policy: Array = log_policy) -> Array:
            scores = log_policy[states]
            drawn: Array = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
            return drawn

        seen = roll_out(world, choose, BATCH, random)
        states, actions = seen.states[seen.mask], seen.actions[seen.mask]
        returns = seen.returns()[seen.mask]
        errors = returns - values[states]
        push = np.zeros_like(logits)
        np.add.at(push, (states, actions), errors)
        np.add.at(push, states, -errors[:, None] * policy[states])
        visits = np.bincount(states, minlength=world.states)
        pull = np.bincount(states, weights=errors, minlength=world.states)
        if attached:  # the gradient of -log pi * (G - V) by V is log pi, downhill is upward
            log_probs = log_policy[states, actions]
            pull -= np.bincount(states, weights=log_probs, minlength=world.states)
        entropy = -(policy * log_policy).sum(axis=1)
        calm = -policy * (log_policy + entropy[:, None])
        logits += ACTOR_RATE * (push / BATCH + BONUS * (visits / BATCH)[:, None] * calm) * 10
        values += CRITIC_RATE * pull / np.maximum(visits, 1)
        if update % 10 == 9:
            here = visits > 0
            weights = visits / visits.sum()
            exact = _exact(world, policy)
            x.append(float(update + 1))
            excess = weights[here] @ (values - exact)[here]
            rows.append([seen.rewards.sum(axis=1).mean(), excess, weights @ entropy])
    return np.array(x), np.array(rows).T


def _exact(world: object, policy: Array) -> Array:
    """[S] the exact values without the time limit, which few episodes reach."""
    from rlgrade.trainer.gridworld import World

    assert isinstance(world, World)
    moves = np.zeros((world.states, world.states))
    for action in range(world.actions):
        goes_on = world.following[:, action] >= 0
        rows = np.flatnonzero(goes_on)
        np.add.at(moves, (rows, world.following[rows, action]), policy[rows, action])
    pays = (policy * world.rewards).sum(axis=1)
    found: Array = np.linalg.solve(np.eye(world.states) - moves, pays)
    return found


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Array = powers / powers.sum(axis=1, keepdims=True)
    return found


def figures(measured: Measured) -> Figures:
    """Returns, the critic's excess and the entropy at the end."""
    return {
        f"{panel}_{short}": tail(measured[panel][variant])
        for panel in ("returns", "excess", "entropy")
        for short, variant in (("detached", DETACHED), ("attached", ATTACHED))
    }


LAB = Lab(
    title="an advantage that is not detached",
    setting=(
        "Actor and critic as tables on the 4 x 4 grid world, with Monte Carlo returns. The "
        "actor's loss is −log π(a|s) · (G − V(s)), the critic's 0.5 · (G − V(s))². In one version "
        "the advantage is detached in the actor's loss, in the other it is not, and both losses "
        "are added, as usual. A small entropy bonus keeps the policy from becoming certain. The "
        "critic is compared with the exact values of the policy of the moment."
    ),
    question=Question(
        "What does it do to have forgotten the detach?",
        (
            "the return collapses: the actor's gradient is wrong",
            "the return is the same; the critic is too high, by just the entropy of the policy",
            "nothing at all: the critic's own loss corrects it",
            "the critic goes to minus infinity, since a lower value makes every advantage better",
        ),
        1,
    ),
    panels=(
        Panel("returns", "Return", "updates", "mean of 32 episodes"),
        Panel("excess", "Critic minus exact value", "updates", "value"),
        Panel("entropy", "Entropy of the policy", "updates", "nats"),
    ),
    trial=trial,
    figures=figures,
    holds=lambda f: (
        abs(f["excess_attached"] - f["entropy_attached"]) < 0.15
        and abs(f["excess_detached"]) < 0.1
        and f["returns_attached"] > 0.9 * f["returns_detached"]
    ),
    explanation=(
        "The return ends at {returns_detached:.2f} with and {returns_attached:.2f} without the "
        "detach. The critic is off by {excess_detached:+.3f} with, and by {excess_attached:+.3f} "
        "without it; the entropy of the policy is {entropy_attached:.3f} nats.\n"
        "The actor's loss contains V: its derivative by V(s) is log π(a|s), which is negative, so "
        "descent pushes V up. The critic's loss pulls back with V − G. They balance where V − G = "
        "−log π, on average over actions: at the entropy. (With a value coefficient c, at the "
        "entropy divided by c.) No chart of returns shows it, since V is only a baseline here and "
        "an offset by state leaves the gradient unbiased. Where the critic bootstraps, or where "
        "the entropy falls and values drop with it, the error goes into the advantages.\n"
        "rlgrade finds it without training: it asks for the gradient that reaches the values."
    ),
    exercises=("ex03", "ex04"),
    seeds=8,
)

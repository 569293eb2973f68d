"""Policy gradients on the small language model, with parts that can be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rlgrade.trainer import language_model as lm
from rlgrade.trainer.devices import one_thread
from rlgrade.trainer.optimiser import Adam


@dataclass(frozen=True)
class Rule:
    """How a step is made.

    `divide`: by the group's standard deviation. `beta`: nats of KL to the reference, taken off the
    reward. `entropy`: weight of the bonus. `average`: over what the loss of tokens is averaged.
    """

    divide: bool = True
    beta: float = 0.0
    entropy: float = 0.0
    average: Literal["tokens", "sequences", "constant"] = "constant"
    rate: float = 2e-3
    prompts: int = 16
    group: int = 8


@dataclass(frozen=True)
class Batch:
    """One rollout. tokens: [P * G, L]. mask, log_probs: [P * G, R]. rewards, advantages: [P, G]."""

    tokens: Tensor
    mask: Tensor
    log_probs: Tensor
    rewards: Tensor
    advantages: Tensor


class Tiny:
    """A policy, its frozen reference and everything drawn, from one seed."""

    def __init__(self, warm: lm.LanguageModel, seed: int, rule: Rule) -> None:
        one_thread()
        self.rule = rule
        self.policy, self.reference = copied(warm), copied(warm)
        self.drawing = torch.Generator().manual_seed(seed + 1)
        self.sampling = torch.Generator().manual_seed(seed + 2)
        self._optimiser = Adam(self.policy.parameters(), rule.rate)

    def roll_out(self, reward: Callable[[Tensor], Tensor]) -> Batch:
        """Completions of fresh prompts, rewarded, and their advantages."""
        prompts = lm.draw_prompts(self.rule.prompts, self.drawing)
        return self.complete(prompts.repeat_interleave(self.rule.group, dim=0), reward)

    @torch.no_grad()
    def complete(self, prompts: Tensor, reward: Callable[[Tensor], Tensor]) -> Batch:
        """A completion of each prompt [P * G, P]; groups stand one after the other."""
        rule = self.rule
        tokens = self.policy.sample(prompts, self.sampling)
        mask, log_probs = lm.response_mask(tokens), self.policy.log_probs(tokens)
        paid = reward(tokens)
        if rule.beta:
            gaps = log_probs - self.reference.log_probs(tokens)
            paid = paid - rule.beta * (gaps * mask).sum(dim=1)
        rewards = paid.view(rule.prompts, rule.group)
        return Batch(tokens, mask, log_probs, rewards, advantages(rewards, divide=rule.divide))

    def improve(self, batch: Batch) -> None:
        """One step of Adam on the policy gradient of a batch."""
        log_policy = self.policy(batch.tokens[:, :-1])[:, lm.PROMPT - 1 :].log_softmax(dim=-1)
        chosen = batch.tokens[:, lm.PROMPT :].unsqueeze(-1)
        gains = batch.advantages.flatten()[:, None] * log_policy.gather(-1, chosen)[..., 0]
        if self.rule.entropy:
            gains = gains - self.rule.entropy * (log_policy.exp() * log_policy).sum(dim=-1)
        loss = -averaged(gains, batch.mask, self.rule.average)
        self._optimiser.step(torch.autograd.grad(loss, list(self.policy.parameters())), 1.0)

    def divergence(self, batch: Batch) -> float:
        """How far the policy is from its reference, in nats a sequence."""
        return lm.divergence(self.policy, self.reference, batch.tokens)


def advantages(rewards: Tensor, *, divide: bool) -> Tensor:
    """[P, G] rewards minus their group's mean, over its standard deviation if wanted."""
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True) + 1e-4) if divide else centred


def averaged(gains: Tensor, mask: Tensor, over: str) -> Tensor:
    """The scalar of [B, R] gains: the mean over tokens, or over sequences of their means."""
    if over == "sequences":
        return ((gains * mask).sum(dim=1) / mask.sum(dim=1)).mean()
    count = mask.sum() if over == "tokens" else len(mask) * lm.ANSWER
    return (gains * mask).sum() / count


def copied(model: lm.LanguageModel) -> lm.LanguageModel:
    """A model of its own with the same weights."""
    with torch.random.fork_rng(devices=[]):
        twin = lm.LanguageModel(model.size)
    twin.load_state_dict(model.state_dict())
    return twin

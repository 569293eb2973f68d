"""Reinforcement learning on the small language model, with the submission's functions as maths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rlgrade.author.training import Attempt
from rlgrade.trainer import language_model as lm
from rlgrade.trainer.devices import one_thread
from rlgrade.trainer.optimiser import Adam

LEARNING_RATE = 2e-3
LARGEST_NORM = 1.0
EVALUATE_EVERY = 10  # rollouts


@dataclass(frozen=True)
class Completions:
    """One rollout: P prompts with G completions each, B = P * G sequences, R response tokens.

    tokens: [B, L] int64. log_probs, ref_log_probs: [B, R] nats. mask: [B, R] bool.
    scores: [P, G] float.
    """

    tokens: Tensor
    log_probs: Tensor
    ref_log_probs: Tensor
    mask: Tensor
    scores: Tensor


class Session:
    """A policy, its frozen reference, and everything drawn, from one attempt's seed."""

    def __init__(self, attempt: Attempt) -> None:
        one_thread()
        self.attempt = attempt
        self.device = attempt.device
        self.size = lm.SMALL if self.device == "cpu" else lm.LARGE
        self.policy = lm.warmed_up(attempt.seed, self.size, self.device)
        self.reference = lm.warmed_up(attempt.seed, self.size, self.device, steps=0)
        self.reference.load_state_dict(self.policy.state_dict())
        self.optimiser = Adam(self.policy.parameters(), LEARNING_RATE)
        self.rollouts = 0
        self._prompts = torch.Generator().manual_seed(attempt.seed + 1)
        self._sampling = torch.Generator(self.device).manual_seed(attempt.seed + 2)

    @torch.no_grad()
    def rollout(self) -> Completions:
        """Completions of fresh training prompts by the present policy."""
        prompts = lm.draw_prompts(self.size.prompts, self._prompts, self.device)
        tokens = self.policy.sample(
            prompts.repeat_interleave(self.size.group, dim=0), self._sampling
        )
        self.rollouts += 1
        return Completions(
            tokens,
            self.policy.log_probs(tokens),
            self.reference.log_probs(tokens),
            lm.response_mask(tokens),
            lm.scores(tokens).view(self.size.prompts, self.size.group),
        )

    def improve(
        self, completions: Completions, loss_of: Callable[[Tensor], Tensor], steps: int = 2
    ) -> None:
        """Optimiser steps on a loss of the present log-probs [B, R] of the sampled tokens."""
        parameters = list(self.policy.parameters())
        for _ in range(steps):
            loss = loss_of(self.policy.log_probs(completions.tokens))
            self.optimiser.step(torch.autograd.grad(loss, parameters), LARGEST_NORM)

    def evaluate(self, completions: Completions) -> float:
        """Note a point of the curve now and then: the score on fresh held-out prompts.

        Between two points it is 0.
        """
        if self.rollouts % EVALUATE_EVERY:
            return 0.0
        score = lm.held_out_score(self.policy, self._prompts, self._sampling, self.device)
        kl = lm.divergence(self.policy, self.reference, completions.tokens)
        self.attempt.point(self.rollouts, score, kl=kl)
        return score

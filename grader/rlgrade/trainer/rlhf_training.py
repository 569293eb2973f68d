"""PPO against a score that can be gamed: a policy, its critic, and the reference it started from.

The score reads a response as the number that its digits spell behind "0.": 9412 scores 0.9412. The
model was warmed up to answer with the digits of the prompt, each in its place of any order, so
within what it knows the best is to put the largest digit first. Beyond that there is always more to
be had: a nine, whatever was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rlgrade.author.training import Attempt
from rlgrade.trainer import language_model as lm
from rlgrade.trainer.devices import one_thread
from rlgrade.trainer.optimiser import Adam

LEARNING_RATE = 2e-3
LARGEST_NORM = 1.0
EPOCHS = 2
EVALUATE_EVERY = 5  # rollouts
PROMPTS_TO_EVALUATE = 512


@dataclass(frozen=True)
class Responses:
    """One rollout: B sequences, R response tokens each.

    tokens: [B, L] int64. log_probs, ref_log_probs: [B, R] nats. values: [B, R] reward units.
    mask: [B, R] bool. scores: [B] float.
    """

    tokens: Tensor
    log_probs: Tensor
    ref_log_probs: Tensor
    values: Tensor
    mask: Tensor
    scores: Tensor


class PolicyAndValues(nn.Module):
    """A language model, and a critic that reads its last layer."""

    def __init__(self, model: lm.LanguageModel) -> None:
        super().__init__()
        self.model = model
        self.values = nn.Linear(model.size.width, 1)
        nn.init.zeros_(self.values.weight)
        nn.init.zeros_(self.values.bias)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[B, R] twice: the log-probability of each response token, and the value before it."""
        hidden = self.model.hidden(tokens[:, :-1])[:, lm.PROMPT - 1 :]
        chosen = tokens[:, lm.PROMPT :].unsqueeze(-1)
        log_probs = self.model.head(hidden).log_softmax(dim=-1).gather(-1, chosen)
        return log_probs.squeeze(-1), self.values(hidden).squeeze(-1)


class Session:
    """A policy with its critic, a frozen reference, and everything drawn, from one seed."""

    def __init__(self, attempt: Attempt) -> None:
        one_thread()
        self.device = attempt.device
        size = lm.SMALL if self.device == "cpu" else lm.LARGE
        self.batch = size.prompts * size.group
        self.learner = PolicyAndValues(lm.warmed_up(attempt.seed, size, self.device))
        self.learner.to(self.device)
        self.reference = lm.warmed_up(attempt.seed, size, self.device, steps=0)
        self.reference.load_state_dict(self.learner.model.state_dict())
        self.optimiser = Adam(self.learner.parameters(), LEARNING_RATE)
        self.rollouts = 0
        self._prompts = torch.Generator().manual_seed(attempt.seed + 1)
        self._sampling = torch.Generator(self.device).manual_seed(attempt.seed + 2)

    @torch.no_grad()
    def rollout(self) -> Responses:
        """Responses of the present policy, one to each of B fresh training prompts."""
        prompts = lm.draw_prompts(self.batch, self._prompts, self.device)
        tokens = self.learner.model.sample(prompts, self._sampling)
        self.rollouts += 1
        log_probs, values = self.learner(tokens)
        return Responses(
            tokens,
            log_probs,
            self.reference.log_probs(tokens),
            values,
            lm.response_mask(tokens),
            spelled(tokens),
        )

    def improve(self, seen: Responses, loss_of: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Optimiser steps on a loss of the present log-probs and values, both [B, R]."""
        parameters = list(self.learner.parameters())
        for _ in range(EPOCHS):
            loss = loss_of(*self.learner(seen.tokens))
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            self.optimiser.step(gradients, LARGEST_NORM)

    def due(self) -> bool:
        """Whether it is time for an evaluation."""
        return self.rollouts % EVALUATE_EVERY == 0

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float]:
        """The mean score on fresh held-out prompts, and the KL to the reference there, in nats."""
        prompts = lm.draw_prompts(PROMPTS_TO_EVALUATE, self._prompts, self.device, held_out=True)
        tokens = self.learner.model.sample(prompts, self._sampling)
        kl = lm.divergence(self.learner.model, self.reference, tokens)
        return float(spelled(tokens).mean()), kl


def spelled(tokens: Tensor) -> Tensor:
    """[B] float from 0 to 1, what the digits of each response spell behind "0.".

    What is no digit, and all that stands behind the end mark, counts as a zero.
    """
    digits = tokens[:, lm.PROMPT :] - lm.FIRST_DIGIT
    counted = lm.response_mask(tokens) & (digits >= 0) & (digits < 10)
    weights = 0.1 ** torch.arange(1, lm.RESPONSE + 1, device=tokens.device)
    return (digits * counted * weights).sum(dim=1)

"""A language model small enough to be trained in seconds, and a task for it.

Sixteen symbols. A prompt is four digits and a mark, its answer the digits in reverse and an end
mark; there are spare places behind, so that the end, the padding and the mask matter. The score of
a completion is the share of places, among the answer's five, that are right. Before any
reinforcement learning the model is warmed up on answers in random order: it knows what an answer
looks like, and not which one is right.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rlgrade.trainer.optimiser import Adam
from rlgrade.trainer.transformer import Cache, Size, Transformer

PAD, EOS, FIRST_DIGIT, MARK = 0, 1, 2, 14
SYMBOLS = 16
DIGITS = 4
PROMPT = DIGITS + 1
ANSWER = DIGITS + 1
RESPONSE = ANSWER + 3


SMALL = Size(symbols=SYMBOLS, places=PROMPT + RESPONSE)
LARGE = replace(SMALL, width=128, layers=4, heads=4, prompts=64, group=16)  # worth a GPU


class LanguageModel(Transformer):
    """The transformer, with what the judge does with it."""

    def __init__(self, size: Size = SMALL) -> None:
        super().__init__(size)

    @torch.no_grad()
    def sample(
        self,
        prompts: Tensor,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        response: int = RESPONSE,
    ) -> Tensor:
        """[B, P + R] the prompts [B, P], each with a sampled response, padded after its end."""
        caches = [Cache() for _ in self.blocks]
        tokens, new = prompts, prompts
        ended = torch.zeros(len(prompts), dtype=torch.bool, device=prompts.device)
        for _ in range(response):
            logits = self.head(self.hidden(new, caches, tokens.shape[1] - new.shape[1])[:, -1])
            probabilities = (logits / temperature).softmax(dim=-1)
            new = torch.multinomial(probabilities, 1, generator=generator)
            new = new.masked_fill(ended.unsqueeze(1), PAD)
            ended = ended | (new.squeeze(1) == EOS)
            tokens = torch.cat([tokens, new], dim=1)
        return tokens

    def log_probs(self, tokens: Tensor, prompt: int = PROMPT) -> Tensor:
        """[B, R] the log-probability of each token behind the prompt, in nats."""
        logits = self(tokens[:, :-1])[:, prompt - 1 :]
        chosen = tokens[:, prompt:].unsqueeze(-1)
        log_probs: Tensor = logits.log_softmax(dim=-1).gather(-1, chosen).squeeze(-1)
        return log_probs


def draw_prompts(
    count: int, generator: torch.Generator, device: str = "cpu", *, held_out: bool = False
) -> Tensor:
    """[count, P] int64 prompts, drawn independently.

    A fifth of all prompts is held out for evaluation: those whose digits add up to a multiple of 5.
    """
    digits = torch.randint(0, 10, (count, DIGITS - 1), generator=generator)
    fifths = torch.zeros(count, dtype=torch.long)
    if not held_out:
        fifths = torch.randint(1, 5, (count,), generator=generator)
    last = (fifths - digits.sum(dim=1)) % 5 + 5 * torch.randint(0, 2, (count,), generator=generator)
    marks = torch.full((count, 1), MARK)
    drawn = torch.cat([digits + FIRST_DIGIT, last.unsqueeze(1) + FIRST_DIGIT, marks], dim=1)
    return drawn.to(device)


def scores(tokens: Tensor) -> Tensor:
    """[B] float, the share of the answer's places that are right, for sequences [B, P + R]."""
    end = torch.full_like(tokens[:, :1], EOS)
    answer = torch.cat([tokens[:, :DIGITS].flip(1), end], dim=1)
    return (tokens[:, PROMPT : PROMPT + ANSWER] == answer).float().mean(dim=1)


def response_mask(tokens: Tensor) -> Tensor:
    """[B, R] bool, True up to the end mark and there, False behind it."""
    ends = (tokens[:, PROMPT:] == EOS).long()
    return (ends.cumsum(dim=1) - ends) == 0


def warmed_up(
    seed: int, size: Size = SMALL, device: str = "cpu", steps: int = 100
) -> LanguageModel:
    """A model that answers with the prompt's digits in random order, then ends."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel(size).to(device)
    optimiser = Adam(model.parameters(), 5e-3)
    for _ in range(steps):
        prompts = draw_prompts(128, generator)
        order = torch.rand(128, DIGITS, generator=generator).argsort(dim=1)
        digits = prompts[:, :DIGITS].gather(1, order)
        tail = torch.tensor([[EOS] + [PAD] * (RESPONSE - ANSWER)]).expand(128, -1)
        tokens = torch.cat([prompts, digits, tail], dim=1).to(device)
        mask = response_mask(tokens)
        loss = -(model.log_probs(tokens) * mask).sum() / mask.sum()
        optimiser.step(torch.autograd.grad(loss, list(model.parameters())))
    return model


@torch.no_grad()
def held_out_score(
    model: LanguageModel,
    drawing: torch.Generator,
    sampling: torch.Generator,
    device: str = "cpu",
    count: int = 512,
) -> float:
    """The mean score of one sampled completion for each of `count` fresh held-out prompts."""
    prompts = draw_prompts(count, drawing, device, held_out=True)
    return float(scores(model.sample(prompts, sampling)).mean())


@torch.no_grad()
def divergence(model: LanguageModel, reference: LanguageModel, tokens: Tensor) -> float:
    """The mean over sequences of the summed log-ratios: k1 of KL(model || reference), in nats."""
    gaps = model.log_probs(tokens) - reference.log_probs(tokens)
    return float((gaps * response_mask(tokens)).sum(dim=1).mean())

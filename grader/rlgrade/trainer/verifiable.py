r"""Questions whose answers a program can verify, for a language model trained in the worker.

Sixteen symbols, each with a text. A prompt is three digits and a mark, in words
`314 backwards, in \boxed{}:`; a good completion is `So \boxed{413}` and an end mark. Before any
reinforcement learning the model is warmed up on completions that have the digits in random order.
Some of them leave out the reasoning and some box two orders, so what a verifier pays for is what
the model becomes.

The judge draws the prompts, turns tokens into texts, and evaluates the parameters that the training
left behind in a model of its own, on prompts that were never trained on and with its own reward.
The judge's model lives on the attempt's device. The worker's, which does nearly all of the work, is
on the CPU, so a GPU gains nothing here; with CUDA this has never been run.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlgrade.author.expect import Unmet, expect
from rlgrade.author.training import Attempt, Refused
from rlgrade.trainer.devices import one_thread
from rlgrade.trainer.language_model import EOS, FIRST_DIGIT, MARK, PAD, LanguageModel
from rlgrade.trainer.optimiser import Adam
from rlgrade.trainer.transformer import Size

OPEN, CLOSE, SO = 12, 13, 15
TEXTS = ("", "", *"0123456789", r"\boxed{", "}", r" backwards, in \boxed{}: ", "So ")
DIGITS = 3
PROMPT = DIGITS + 1
RESPONSE = 14  # the longest kind of warm-up completion has 12
SIZE = Size(symbols=len(TEXTS), places=PROMPT + RESPONSE)
LEARNING_RATE = 2e-3
EPSILON = 0.2
ALIKE = 0.95  # the cosine of the two changes of an update; of right code it is above 0.999
STILL = 1e-6  # the norm of a change that is none
EVALUATED = 256  # prompts

Array = npt.NDArray[Any]


class Lessons:
    """What one attempt lends to the training loop of a submission, and how it is judged.

    `draw` and `decode` are for `submission.lend_function`. After each update `follow` takes the
    same step from the same completions, with rewards of its own, and compares: what was trained
    elsewhere, or on anything but its own samples' rewards, moves otherwise.
    """

    def __init__(
        self, attempt: Attempt, *, updates: int, prompts: int, group: int, epochs: int
    ) -> None:
        """Warm a model up; each update has `group` completions of each of `prompts` prompts."""
        one_thread()
        self.device = attempt.device
        self.updates = 0
        self.model = warmed_up(attempt.seed, self.device)
        self._first = {name: p.detach().cpu().numpy().copy() for name, p in self._named()}
        self._optimiser = Adam(self.model.parameters(), LEARNING_RATE)
        self._most = updates * prompts
        self._prompts = prompts
        self._group = group
        self._epochs = epochs
        self._drawn = 0
        self._questions: list[Tensor] = []  # of this update
        self._completions: list[list[int]] = []
        self._drawing = torch.Generator().manual_seed(attempt.seed + 1)
        self._sampling = torch.Generator(self.device).manual_seed(attempt.seed + 2)

    @property
    def first_parameters(self) -> dict[str, Array]:
        """Where the training begins."""
        return self._first

    def draw(self, count: Any) -> tuple[Array, list[str]]:
        """Fresh training prompts [count, P] and their answers."""
        if type(count) is not int or count < 1:
            raise Refused("draw_prompts takes a whole number of prompts, at least 1")
        if self._drawn + count > self._most:
            raise Refused(f"the budget of {self._most:,} prompts is spent")
        self._drawn += count
        prompts = draw_prompts(count, self._drawing)
        self._questions.append(prompts)
        return prompts.numpy(), references(prompts)

    def decode(self, tokens: Any) -> list[str]:
        """The text of each row of tokens, up to its end mark."""
        if not isinstance(tokens, np.ndarray) or tokens.ndim != 2 or tokens.dtype.kind not in "iu":
            raise Refused("decode takes a tensor [N, R] of tokens")
        if not 1 <= tokens.shape[1] <= RESPONSE:
            raise Refused(f"decode takes completions of 1 to {RESPONSE} tokens")
        most = self._prompts * self._group
        if len(self._completions) + len(tokens) > most:
            raise Refused(f"there are {most} completions in an update, and each is decoded once")
        if not np.isin(tokens, range(len(TEXTS))).all():
            raise Refused(f"decode takes tokens from 0 to {len(TEXTS) - 1}")
        rows = tokens.tolist()
        self._completions += rows
        return [text_of(row) for row in rows]

    def follow(self, parameters: Any) -> None:
        """Take the update that has just been made, too, and go on from where it led.

        Raises:
            Unmet: the parameters are no numbers of the right shapes, or they moved otherwise than
                a GRPO step on the completions that were decoded moves them.
        """
        questions = torch.cat(self._questions) if self._questions else torch.zeros(0, PROMPT)
        rows, most = self._completions, self._prompts * self._group
        expect(
            (len(questions), len(rows)) == (self._prompts, most),
            f"before on_update is called, an update draws {self._prompts} prompts and decodes "
            f"{most} completions; yours drew {len(questions)} and decoded {len(rows)}",
            "on_update",
        )
        before = self._flat()
        self._take_the_step(questions, rows)
        expected = self._flat() - before
        self._load(parameters)
        change = self._flat() - before
        self.updates += 1
        self._questions, self._completions = [], []
        size, wanted = float(change.norm()), float(expected.norm())
        alike = float(change @ expected) / max(size * wanted, 1e-12)
        expect(
            max(size, wanted) < STILL or (alike > ALIKE and 0.8 < size / wanted < 1.25),
            f"update {self.updates} moved the policy otherwise than its own completions and their "
            "rewards do",
            "the policy",
        )

    def score(self) -> float:
        """The share of fresh held-out prompts that the policy answers rightly, as it is now."""
        prompts = draw_prompts(EVALUATED, self._drawing, held_out=True)
        tokens = self.model.sample(prompts.to(self.device), self._sampling, response=RESPONSE)
        texts = [text_of(row) for row in tokens[:, PROMPT:].tolist()]
        right = map(is_right, texts, references(prompts))
        return sum(right) / EVALUATED

    def _take_the_step(self, questions: Tensor, rows: list[list[int]]) -> None:
        """One update of our own, on completions that are given."""
        ended = [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]
        completions = torch.tensor([row + [PAD] * (RESPONSE - len(row)) for row in ended])
        counted = torch.tensor([[t < len(row) for t in range(RESPONSE)] for row in ended])
        answers = [answer for answer in references(questions) for _ in range(self._group)]
        paid = torch.tensor([reward_of(text_of(r), a) for r, a in zip(rows, answers, strict=True)])
        rewards = paid.view(-1, self._group)
        spread = rewards.std(dim=1, keepdim=True)
        advantages = (rewards - rewards.mean(dim=1, keepdim=True)) / (spread + 1e-4)
        tied = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
        advantages = advantages.masked_fill(tied, 0.0).view(-1, 1)
        tokens = torch.cat([questions.repeat_interleave(self._group, dim=0), completions], dim=1)
        tokens, counted = tokens.to(self.device), counted.to(self.device)
        advantages = advantages.to(self.device)
        with torch.no_grad():
            old_log_probs = self.model.log_probs(tokens, PROMPT)
        for _ in range(self._epochs):
            ratio = (self.model.log_probs(tokens, PROMPT) - old_log_probs).exp()
            clipped = ratio.clamp(1 - EPSILON, 1 + EPSILON)
            gains = torch.minimum(ratio * advantages, clipped * advantages)
            gradients = torch.autograd.grad(-gains[counted].mean(), list(self.model.parameters()))
            self._optimiser.step(gradients)

    def _flat(self) -> Tensor:
        with torch.no_grad():
            return torch.cat([parameter.flatten() for _, parameter in self._named()])

    def _load(self, parameters: Any) -> None:
        """Load what the worker says its model has become."""
        for name, parameter in self._named():
            value = parameters.get(name) if type(parameters) is dict else None
            if not isinstance(value, np.ndarray) or value.shape != tuple(parameter.shape):
                raise Unmet("the policy no longer has the parameters that it had", "policy")
            expect(bool(np.isfinite(value).all()), "the policy's parameters became infinite or nan")
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(value))

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        return list(self.model.named_parameters())


def shape_of_model() -> dict[str, int]:
    """What the worker must know to build the same model."""
    names = ("symbols", "places", "width", "layers", "heads")
    return {name: getattr(SIZE, name) for name in names}


def draw_prompts(count: int, generator: torch.Generator, *, held_out: bool = False) -> Tensor:
    """[count, P] int64. Held out is a fifth: those whose digits add up to a multiple of 5."""
    digits = torch.randint(0, 10, (count, DIGITS - 1), generator=generator)
    fifths = torch.zeros(count, dtype=torch.long)
    if not held_out:
        fifths = torch.randint(1, 5, (count,), generator=generator)
    last = (fifths - digits.sum(dim=1)) % 5 + 5 * torch.randint(0, 2, (count,), generator=generator)
    digits = torch.cat([digits, last.unsqueeze(1)], dim=1)
    return torch.cat([digits + FIRST_DIGIT, torch.full((count, 1), MARK)], dim=1)


def references(prompts: Tensor) -> list[str]:
    """The right answer to each prompt."""
    return [text_of(row) for row in prompts[:, :DIGITS].flip(1).tolist()]


def text_of(tokens: list[int]) -> str:
    """What the tokens before the first end mark say."""
    end = tokens.index(EOS) if EOS in tokens else len(tokens)
    return "".join(TEXTS[token] for token in tokens[:end])


def reward_of(text: str, reference: str) -> float:
    """The verifiable reward of a text that is made of this model's tokens.

    1.0 for the right number in the only box, 0.1 for any other answer in the only box with
    something before it and nothing after it, else 0.0.
    """
    box = re.fullmatch(r"(.*)\\boxed\{([^{}]*)\}(.*)", text)
    if text.count(TEXTS[OPEN]) != 1 or box is None or not box[2].strip():
        return 0.0
    if re.fullmatch("[0-9]+", box[2].strip()) and int(box[2]) == int(reference):
        return 1.0
    return 0.1 if box[1].strip() and not box[3].strip() else 0.0


def is_right(text: str, reference: str) -> bool:
    """Whether the only box of a completion has the right number in it."""
    return reward_of(text, reference) == 1.0


def warmed_up(seed: int, device: str = "cpu", steps: int = 120) -> LanguageModel:
    """A model that boxes the prompt's digits in random order, not always in the best of forms."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel(SIZE).to(device)
    optimiser = Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        prompts = draw_prompts(128, generator)
        completions = _in_random_order(prompts, generator)
        tokens = torch.cat([prompts, completions], dim=1).to(device)
        logits = model(tokens[:, :-1])[:, PROMPT - 1 :]
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), completions.flatten().to(device), ignore_index=PAD
        )
        optimiser.step(torch.autograd.grad(losses, list(model.parameters())))
    return model


def _in_random_order(prompts: Tensor, generator: torch.Generator) -> Tensor:
    """[B, R] `So` and a box; in a fifth of the rows only a box, in a fifth `So` and two boxes."""
    count = len(prompts)
    kinds = torch.randint(0, 5, (count,), generator=generator)
    boxes = []
    for _ in range(2):
        order = torch.rand(count, DIGITS, generator=generator).argsort(dim=1)
        digits = prompts.gather(1, order)
        boxes.append(torch.nn.functional.pad(digits, (1, 0), value=OPEN))
        boxes[-1] = torch.nn.functional.pad(boxes[-1], (0, 1), value=CLOSE)
    rows = torch.full((count, RESPONSE), PAD)
    width = DIGITS + 2
    plain, hedged = (kinds == 0).unsqueeze(1), (kinds == 1).unsqueeze(1)
    rows[:, 0] = SO
    rows[:, 1 : 1 + width] = boxes[0]
    rows[:, 1 + width] = EOS
    second = torch.nn.functional.pad(boxes[1], (0, 1), value=EOS)
    rows[:, 1 + width : 2 + 2 * width] = torch.where(
        hedged, second, rows[:, 1 + width : 2 + 2 * width]
    )
    bare = torch.nn.functional.pad(rows[:, 1:], (0, 1), value=PAD)
    return torch.where(plain, bare, rows)

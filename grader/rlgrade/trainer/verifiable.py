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
LARGEST_STEP = 4 * LEARNING_RATE  # Adam's are at most (1 - 0.9) / sqrt(1 - 0.999) = 3.2 times it
EVALUATED = 256  # prompts

Array = npt.NDArray[Any]


class Lessons:
    """What one attempt lends to the training loop of a submission, and how it is judged.

    `draw` and `decode` are for `submission.lend_function`.
    """

    def __init__(self, attempt: Attempt, *, budget: int, epochs: int) -> None:
        """Warm a model up; at most `budget` prompts, each update takes `epochs` steps."""
        one_thread()
        self.device = attempt.device
        self.drawn = 0
        self.draws = 0
        self.model = warmed_up(attempt.seed, self.device)
        self._first = {name: p.detach().cpu().numpy() for name, p in self._named()}
        self._budget = budget
        self._epochs = epochs
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
        if self.drawn + count > self._budget:
            raise Refused(f"the budget of {self._budget:,} prompts is spent")
        self.drawn += count
        self.draws += 1
        prompts = draw_prompts(count, self._drawing)
        return prompts.numpy(), references(prompts)

    def decode(self, tokens: Any) -> list[str]:
        """The text of each row of tokens, up to its end mark."""
        whole = isinstance(tokens, np.ndarray) and tokens.ndim == 2 and tokens.dtype.kind in "iu"
        if not whole or not np.isin(tokens, range(len(TEXTS))).all():
            raise Refused("decode takes a tensor [N, R] of tokens, each below 16")
        return [text_of(row) for row in tokens.tolist()]

    def score(self, parameters: Any) -> float:
        """The share of fresh held-out prompts that a model with these parameters answers rightly.

        Raises:
            Unmet: they are no numbers, or no training with the lent optimizer could have led there.
        """
        self._take(parameters)
        prompts = draw_prompts(EVALUATED, self._drawing, held_out=True)
        tokens = self.model.sample(prompts.to(self.device), self._sampling, response=RESPONSE)
        texts = [text_of(row) for row in tokens[:, PROMPT:].tolist()]
        right = map(is_right, texts, references(prompts))
        return sum(right) / EVALUATED

    def _take(self, parameters: Any) -> None:
        """Load what the worker says its model has become."""
        reach = LARGEST_STEP * self._epochs * self.draws + 1e-4
        for name, parameter in self._named():
            value = parameters.get(name) if type(parameters) is dict else None
            if not isinstance(value, np.ndarray) or value.shape != tuple(parameter.shape):
                raise Unmet("the policy no longer has the parameters that it had", "policy")
            expect(bool(np.isfinite(value).all()), "the policy's parameters became infinite or nan")
            expect(
                float(np.abs(value - self._first[name]).max()) <= reach,
                f"{self.draws * self._epochs} steps of the optimizer cannot bring the policy's "
                "parameters so far from where they began: nothing else may change them",
            )
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


def is_right(text: str, reference: str) -> bool:
    """Whether the only box of a completion has the right number in it."""
    found = re.search(r"\\boxed\{([0-9]+)\}", text)
    return text.count(TEXTS[OPEN]) == 1 and found is not None and int(found[1]) == int(reference)


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

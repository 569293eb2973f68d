r"""Verifiers with regular expressions, and a GRPO loop in vectorised torch."""

import re
from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Generator, Tensor, nn

BOX = r"\boxed{"  # how an answer begins: these seven characters, exactly
LONGEST_NUMBER = 1000  # characters; a longer text is never read as a number

_BRACE = re.compile(r"[{}]")
_INTEGER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = re.compile(rf"([+-]?)({_INTEGER})?\.([0-9]+)")
_WHOLE = re.compile(rf"([+-]?)({_INTEGER})")
_SLASH = re.compile(rf"([+-]?)({_INTEGER})/({_INTEGER})")
_FRAC = re.compile(rf"([+-]?)\\frac\{{({_INTEGER})\}}\{{({_INTEGER})\}}")
_NOTHING = re.compile(r"[+-]?(?:nan|inf|infinity)")


def _only_box(completion: str) -> tuple[int, int] | None:
    """Where the only box begins and where its closing brace is."""
    start = completion.find(BOX)
    if start < 0 or completion.find(BOX, start + 1) >= 0:
        return None
    depth = 1
    for brace in _BRACE.finditer(completion, start + len(BOX)):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return start, brace.start()
    return None


def extract_answer(completion: str) -> str | None:
    place = _only_box(completion)
    if place is None:
        return None
    return completion[place[0] + len(BOX) : place[1]].strip() or None


def _value(text: str) -> Fraction | str | None:
    """A number, a text, or None for what matches nothing; `text` is normalised."""
    if not text or _NOTHING.fullmatch(text):
        return None
    if len(text) > LONGEST_NUMBER:
        return text
    if found := _WHOLE.fullmatch(text):
        sign, whole = found.groups()
        value = Fraction(int(whole.replace(",", "")))
    elif found := _DECIMAL.fullmatch(text):
        sign, whole, digits = found.groups()
        whole = (whole or "").replace(",", "")
        value = Fraction(int(whole + digits), 10 ** len(digits))
    elif found := _SLASH.fullmatch(text) or _FRAC.fullmatch(text):
        sign, above, below = found.groups()
        denominator = int(below.replace(",", ""))
        if denominator == 0:
            return None
        value = Fraction(int(above.replace(",", "")), denominator)
    else:
        return text
    return -value if sign == "-" else value


def answers_match(answer: str, reference: str) -> bool:
    left = _value(" ".join(answer.split()).lower())
    right = _value(" ".join(reference.split()).lower())
    return left is not None and right is not None and left == right


def format_reward(completion: str) -> float:
    if extract_answer(completion) is None:
        return 0.0
    start, end = _only_box(completion)
    reasoned = bool(completion[:start].strip())
    ended = not completion[end + 1 :].strip()
    return 1.0 if reasoned and ended else 0.0


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    if not 0 <= format_weight < 1:
        raise ValueError(f"format_weight must be in [0, 1), but is {format_weight}")
    answer = extract_answer(completion)
    if answer is not None and answers_match(answer, reference):
        return 1.0
    return float(format_weight * format_reward(completion))


def pass_at_k(n: int, c: int, k: int) -> float:
    if not 0 <= c <= n:
        raise ValueError(f"c must be from 0 to n = {n}, but is {c}")
    if not 1 <= k <= n:
        raise ValueError(f"k must be from 1 to n = {n}, but is {k}")
    if n - c < k:
        return 1.0
    fewer, more = min(c, k), max(c, k)  # the formula is symmetric in c and k
    all_wrong = 1.0
    for i in range(fewer):
        all_wrong *= 1 - more / (n - i)
    return 1.0 - all_wrong


def _log_probs(policy: nn.Module, rows: Tensor, skip: int, temperature: float) -> Tensor:
    """Of every token of `rows` from place `skip` on."""
    logits = policy(rows)[:, skip - 1 : -1] / temperature
    return logits.log_softmax(-1).gather(-1, rows[:, skip:].unsqueeze(-1)).squeeze(-1)


def train_grpo(
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    draw_prompts: Callable[[int], tuple[Tensor, list[str]]],
    decode: Callable[[Tensor], list[str]],
    eos_id: int,
    max_tokens: int,
    updates: int,
    prompts: int = 16,
    group_size: int = 8,
    epochs: int = 2,
    epsilon: float = 0.2,
    temperature: float = 1.0,
    on_update: Callable[[dict[str, float]], bool],
    generator: Generator,
) -> None:
    if group_size < 2:
        raise ValueError(f"group_size must be at least 2, but is {group_size}")
    for _ in range(updates):
        questions, references = draw_prompts(prompts)
        width = questions.shape[1]
        with torch.no_grad():
            rows = questions.repeat_interleave(group_size, 0)
            for _ in range(max_tokens):
                pi = (policy(rows)[:, -1] / temperature).softmax(-1)
                rows = torch.cat([rows, torch.multinomial(pi, 1, generator=generator)], 1)
            completions = rows[:, width:]
            ends = completions == eos_id
            mask = ends.cumsum(1) - ends.long() == 0
            old = _log_probs(policy, rows, width, temperature)[mask]

        texts = decode(completions)
        rewards = torch.tensor(
            [verifiable_reward(text, references[i // group_size]) for i, text in enumerate(texts)],
            dtype=torch.float64,
        ).view(-1, group_size)
        tied = rewards.amax(1) == rewards.amin(1)
        advantages = rewards - rewards.mean(1, keepdim=True)
        advantages = advantages / (rewards.std(1, keepdim=True) + 1e-4)
        advantages = advantages.masked_fill(tied.unsqueeze(1), 0.0).to(old)
        weights = advantages.view(-1, 1).expand_as(mask)[mask]

        for _ in range(epochs):
            ratio = (_log_probs(policy, rows, width, temperature)[mask] - old).exp()
            clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
            loss = -torch.minimum(ratio * weights, clipped * weights).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        go_on = on_update(
            {
                "reward": rewards.mean().item(),
                "signal": 1.0 - tied.double().mean().item(),
                "length": mask.sum(1).double().mean().item(),
            }
        )
        if not go_on:
            return

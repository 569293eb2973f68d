"""The habit of math-verify: parse each side into an object, then compare; pass@k as human-eval."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

INTEGER = r"([0-9]+|[0-9]{1,3}(,[0-9]{3})+)"
GRAMMAR = (
    re.compile(rf"(?P<sign>[+-]?)(?P<whole>{INTEGER})"),
    re.compile(rf"(?P<sign>[+-]?)(?P<whole>{INTEGER})?\.(?P<decimals>[0-9]+)"),
    re.compile(rf"(?P<sign>[+-]?)(?P<top>{INTEGER})/(?P<bottom>{INTEGER[:-1]}))"),
    re.compile(rf"(?P<sign>[+-]?)\\frac{{(?P<top>{INTEGER})}}{{(?P<bottom>{INTEGER[:-1]}))}}"),
)


@dataclass(frozen=True)
class Parsed:
    number: Fraction | None
    text: str

    @property
    def comparable(self) -> bool:
        return self.text != ""


UNDEFINED = Parsed(None, "")


def parse(text: str) -> Parsed:
    text = re.sub(r"\s+", " ", text).strip().lower()
    if re.fullmatch(r"[+-]?nan|[+-]?inf|[+-]?infinity", text):
        return UNDEFINED
    if len(text) <= 1000:
        for pattern in GRAMMAR:
            found = pattern.fullmatch(text)
            if found:
                return number(found.groupdict(), text)
    return Parsed(None, text)


def number(parts: dict[str, str | None], text: str) -> Parsed:
    def whole(name: str) -> int:
        return int((parts.get(name) or "0").replace(",", ""))

    if "top" in parts:
        if whole("bottom") == 0:
            return UNDEFINED
        size = Fraction(whole("top"), whole("bottom"))
    else:
        decimals = parts.get("decimals") or ""
        size = whole("whole") + Fraction(int(decimals or "0"), 10 ** len(decimals))
    return Parsed(-size if parts["sign"] == "-" else size, text)


def verify(one: Parsed, other: Parsed) -> bool:
    if not (one.comparable and other.comparable):
        return False
    if one.number is not None and other.number is not None:
        return one.number == other.number
    return one.text == other.text


def spans(completion: str) -> tuple[int, int] | None:
    openings = [match.end() for match in re.finditer(r"\\boxed\{", completion)]
    if len(openings) != 1:
        return None
    codes = np.frombuffer(completion[openings[0] :].encode("utf-32-le"), dtype=np.uint32)
    depth = 1 + np.cumsum(np.where(codes == ord("{"), 1, np.where(codes == ord("}"), -1, 0)))
    closed = np.flatnonzero(depth == 0)
    return (openings[0], openings[0] + int(closed[0])) if len(closed) else None


def extract_answer(completion: str) -> str | None:
    span = spans(completion)
    if span is None:
        return None
    return completion[slice(*span)].strip() or None


def answers_match(answer: str, reference: str) -> bool:
    return verify(parse(answer), parse(reference))


def format_reward(completion: str) -> float:
    span = spans(completion)
    if span is None or completion[slice(*span)].isspace() or span[0] == span[1]:
        return 0.0
    before, after = completion[: span[0] - 7], completion[span[1] + 1 :]
    return 1.0 if before.strip() and not after.strip() else 0.0


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    if not 0.0 <= format_weight < 1.0:
        raise ValueError("format_weight has to be in [0, 1)")
    answer = extract_answer(completion)
    accuracy = answer is not None and answers_match(answer, reference)
    return 1.0 if accuracy else float(format_weight) * format_reward(completion)


def pass_at_k(n: int, c: int, k: int) -> float:
    if c not in range(n + 1):
        raise ValueError("c is not between 0 and n")
    if k not in range(1, n + 1):
        raise ValueError("k is not between 1 and n")
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


@dataclass
class Rollout:
    """The habit of CleanRL's buffers: everything is stored while it is sampled."""

    sequences: torch.Tensor
    log_probs: torch.Tensor
    alive: torch.Tensor
    prompt_length: int

    @property
    def completions(self) -> torch.Tensor:
        return self.sequences[:, self.prompt_length :]


@torch.no_grad()
def roll_out(policy, queries, eos_id, max_tokens, temperature, generator) -> Rollout:
    sequences, log_probs, alive = queries, [], [torch.ones(len(queries), dtype=torch.bool)]
    for _ in range(max_tokens):
        log_p = (policy(sequences)[:, -1] / temperature).log_softmax(-1)
        token = torch.multinomial(log_p.exp(), 1, generator=generator)
        log_probs.append(log_p.gather(1, token))
        sequences = torch.cat((sequences, token), 1)
        alive.append(alive[-1] & (token[:, 0] != eos_id))
        if not alive[-1].any():
            break
    return Rollout(sequences, torch.cat(log_probs, 1), torch.stack(alive[:-1], 1), queries.shape[1])


def standardised(rewards: np.ndarray) -> np.ndarray:
    contrast = rewards.max(axis=1, keepdims=True) > rewards.min(axis=1, keepdims=True)
    scaled = rewards - rewards.mean(axis=1, keepdims=True)
    scaled /= rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4
    return np.where(contrast, scaled, 0.0)


def train_grpo(
    policy: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    draw_prompts,
    decode,
    eos_id: int,
    max_tokens: int,
    updates: int,
    prompts: int = 16,
    group_size: int = 8,
    epochs: int = 2,
    epsilon: float = 0.2,
    temperature: float = 1.0,
    on_update,
    generator: torch.Generator,
) -> None:
    if group_size in (0, 1):
        raise ValueError("group_size is too small")
    for _update in range(1, updates + 1):
        queries, answers = draw_prompts(prompts)
        tiled = queries.unsqueeze(1).expand(-1, group_size, -1).flatten(0, 1)
        seen = roll_out(policy, tiled, eos_id, max_tokens, temperature, generator)
        texts = np.array(decode(seen.completions), dtype=object).reshape(prompts, group_size)
        rewards = np.array(
            [
                [verifiable_reward(text, a) for text in row]
                for row, a in zip(texts, answers, strict=True)
            ]
        )
        # One entry for each token that counts, from here on.
        b, t = seen.alive.nonzero(as_tuple=True)
        chosen, b_old = seen.completions[b, t], seen.log_probs[b, t]
        b_advantages = torch.from_numpy(standardised(rewards)).flatten()[b]
        for _epoch in range(epochs):
            logits = policy(seen.sequences)[b, seen.prompt_length + t - 1] / temperature
            new = torch.distributions.Categorical(logits=logits).log_prob(chosen)
            ratio = (new - b_old).exp()
            too_far = torch.where(b_advantages > 0, ratio > 1 + epsilon, ratio < 1 - epsilon)
            gain = torch.where(too_far, 0.0, ratio * b_advantages)  # where it is held, no gradient
            optimizer.zero_grad(set_to_none=True)
            (-gain.sum() / len(b)).backward()
            optimizer.step()
        contrast = rewards.max(axis=1) != rewards.min(axis=1)
        told = {
            "reward": rewards.mean(),
            "signal": contrast.mean(),
            "length": len(b) / rewards.size,
        }
        if not on_update({name: float(number) for name, number in told.items()}):
            return

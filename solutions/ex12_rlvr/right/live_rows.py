r"""Verifiers as a small state machine, and GRPO after verl: experience, float64, live rows only."""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Generator, Tensor, nn

BOX = r"\boxed{"  # how an answer begins: these seven characters, exactly
LONGEST_NUMBER = 1000  # characters; a longer text is never read as a number


@dataclass(frozen=True)
class Box:
    start: int
    text: str
    stop: int


def locate(completion: str) -> Box | None:
    before, mark, rest = completion.partition(BOX)
    if not mark or BOX in rest:
        return None
    opened = 1
    for index, character in enumerate(rest):
        opened += (character == "{") - (character == "}")
        if not opened:
            text = rest[:index].strip()
            if not text:
                return None
            return Box(len(before), text, len(before) + len(BOX) + index + 1)
    return None


def extract_answer(completion: str) -> str | None:
    box = locate(completion)
    return box.text if box else None


def digits_only(text: str) -> bool:
    return text != "" and text.isascii() and text.isdigit()


def whole(text: str) -> int:
    """An integer of the grammar; ValueError if it is none."""
    head, *tail = text.split(",")
    if not digits_only(head) or not all(digits_only(t) and len(t) == 3 for t in tail):
        raise ValueError(text)
    if tail and len(head) > 3:
        raise ValueError(text)
    return int(head + "".join(tail))


def number(text: str) -> Fraction:
    """ValueError if it is a text, ZeroDivisionError if it has no value."""
    if len(text) > LONGEST_NUMBER:
        raise ValueError("too long")
    if text[:1] == "-":
        return -unsigned(text[1:])
    return unsigned(text.removeprefix("+"))


def unsigned(text: str) -> Fraction:
    if text.startswith("\\frac{") and text.endswith("}"):
        above, separator, below = text[6:-1].partition("}{")
        if not separator:
            raise ValueError(text)
        return Fraction(whole(above), whole(below))
    if "/" in text:
        above, below = text.split("/", 1)
        return Fraction(whole(above), whole(below))
    if "." in text:
        units, decimals = text.split(".", 1)
        if not digits_only(decimals):
            raise ValueError(text)
        places = Fraction(int(decimals), 10 ** len(decimals))
        return places + (whole(units) if units else 0)
    return Fraction(whole(text))


def canonical(text: str) -> tuple[str, object] | None:
    text = " ".join(text.split()).lower()
    unsigned_text = text[1:] if text.startswith(("+", "-")) else text
    if text == "" or unsigned_text in {"nan", "inf", "infinity"}:
        return None
    try:
        return "number", number(text)
    except ZeroDivisionError:
        return None
    except ValueError:
        return "text", text


def answers_match(answer: str, reference: str) -> bool:
    ours = canonical(answer)
    return ours is not None and ours == canonical(reference)


def format_reward(completion: str) -> float:
    box = locate(completion)
    if box is None:
        return 0.0
    reasoning, rest = completion[: box.start], completion[box.stop :]
    if reasoning and not reasoning.isspace() and (not rest or rest.isspace()):
        return 1.0
    return 0.0


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    if format_weight < 0 or format_weight >= 1 or math.isnan(format_weight):
        raise ValueError(f"format_weight is {format_weight}, which is not in [0, 1)")
    box = locate(completion)
    if box is not None and answers_match(box.text, reference):
        return 1.0
    return float(format_weight) * format_reward(completion)


def pass_at_k(n: int, c: int, k: int) -> float:
    for name, given, low in (("c", c, 0), ("k", k, 1)):
        if not low <= given <= n:
            raise ValueError(f"{name} has to be from {low} to {n}, but is {given}")
    if c == 0:
        return 0.0
    if k > n - c:
        return 1.0
    if k < c:
        c, k = k, c
    return -math.expm1(math.fsum(math.log1p(-k / i) for i in range(n - c + 1, n + 1)))


@dataclass
class Experience:
    sequences: Tensor  # [N, T + R]
    response_mask: Tensor  # [N, R]
    old_log_probs: Tensor  # [N, R] float64, 0 where masked
    uid: list[int]


class Worker:
    def __init__(self, policy: nn.Module, temperature: float, eos_id: int) -> None:
        self.policy = policy
        self.temperature = temperature
        self.eos_id = eos_id

    def log_probs(self, sequences: Tensor, mask: Tensor) -> Tensor:
        count = mask.shape[1]
        logits = self.policy(sequences)[:, -count - 1 : -1].double() / self.temperature
        labels = sequences[:, -count:].unsqueeze(-1)
        chosen = logits.gather(-1, labels).squeeze(-1) - logits.logsumexp(-1)
        return torch.where(mask, chosen, 0.0)

    @torch.no_grad()
    def rollout(self, prompts: Tensor, n: int, max_tokens: int, generator: Generator) -> Experience:
        uid = [p for p in range(len(prompts)) for _ in range(n)]
        width = prompts.shape[1]
        sequences = prompts.new_full((len(uid), width + max_tokens), self.eos_id)
        sequences[:, :width] = prompts[uid]
        mask = torch.zeros(len(uid), max_tokens, dtype=torch.bool, device=prompts.device)
        old = torch.zeros(len(uid), max_tokens, dtype=torch.float64, device=prompts.device)
        alive = torch.arange(len(uid), device=prompts.device)
        for r in range(max_tokens):
            if len(alive) == 0:
                break
            logits = self.policy(sequences[alive, : width + r])[:, -1].double()
            log_pi = torch.log_softmax(logits / self.temperature, -1)
            # the first of independent exponential clocks rings with the probabilities as rates
            clocks = torch.empty_like(log_pi).exponential_(generator=generator).clamp_min(1e-300)
            chosen = (log_pi - clocks.log()).argmax(-1)
            sequences[alive, width + r] = chosen
            mask[alive, r] = True
            old[alive, r] = log_pi.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
            alive = alive[chosen != self.eos_id]
        return Experience(sequences, mask, old, uid)


def compute_grpo_outcome_advantage(scores: list[float], uid: list[int]) -> tuple[Tensor, float]:
    """The advantage of each row, and the share of groups that have one."""
    id2score: dict[int, list[float]] = defaultdict(list)
    for index, score in zip(uid, scores, strict=True):
        id2score[index].append(score)
    advantages = []
    for index, score in zip(uid, scores, strict=True):
        group = torch.tensor(id2score[index], dtype=torch.float64)
        if len(set(id2score[index])) == 1:
            advantages.append(0.0)
        else:
            advantages.append(float((score - group.mean()) / (group.std(correction=1) + 1e-4)))
    signal = sum(len(set(group)) > 1 for group in id2score.values()) / len(id2score)
    return torch.tensor(advantages, dtype=torch.float64), signal


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
        raise ValueError(f"group_size is {group_size}, but a group has at least 2 members")
    worker = Worker(policy, temperature, eos_id)
    for _ in range(updates):
        tokens, references = draw_prompts(prompts)
        batch = worker.rollout(tokens, group_size, max_tokens, generator)
        responses = batch.sequences[:, tokens.shape[1] :]
        scores: list[float] = []
        for p, reference in enumerate(references):
            texts = decode(responses[p * group_size : (p + 1) * group_size])
            scores += [verifiable_reward(text, reference) for text in texts]
        advantages, signal = compute_grpo_outcome_advantage(scores, batch.uid)
        advantages = advantages.unsqueeze(1).to(tokens.device)

        counted = batch.response_mask.sum()
        for _ in range(epochs):
            log_probs = worker.log_probs(batch.sequences, batch.response_mask)
            ratio = torch.exp(log_probs - batch.old_log_probs)
            pg_losses1 = -advantages * ratio
            pg_losses2 = -advantages * ratio.clamp(1 - epsilon, 1 + epsilon)
            pg_losses = torch.maximum(pg_losses1, pg_losses2)
            pg_loss = (pg_losses * batch.response_mask).sum() / counted
            optimizer.zero_grad(set_to_none=True)
            pg_loss.backward()
            optimizer.step()

        told = on_update(
            {
                "reward": sum(scores) / len(scores),
                "signal": float(signal),
                "length": float(counted) / len(scores),
            }
        )
        if not told:
            break

r"""Verifiers by hand, character after character, and a GRPO loop that takes one group at a time."""

import math
import statistics
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

BOX = r"\boxed{"  # how an answer begins: these seven characters, exactly
LONGEST_NUMBER = 1000  # characters; a longer text is never read as a number
DIGITS = "0123456789"


def split_at_box(completion: str) -> tuple[str, str, str] | None:
    """What stands before the only box, in it and behind it."""
    pieces = completion.split(BOX)
    if len(pieces) != 2:
        return None
    before, rest = pieces
    depth = 1
    for i, character in enumerate(rest):
        if character == "{":
            depth = depth + 1
        elif character == "}":
            depth = depth - 1
            if depth == 0:
                return before, rest[:i], rest[i + 1 :]
    return None


def extract_answer(completion: str) -> str | None:
    parts = split_at_box(completion)
    if parts is None or parts[1].strip() == "":
        return None
    return parts[1].strip()


def read_integer(text: str) -> int | None:
    groups = text.split(",")
    for group in groups:
        if group == "" or any(character not in DIGITS for character in group):
            return None
    if len(groups) > 1 and (len(groups[0]) > 3 or any(len(group) != 3 for group in groups[1:])):
        return None
    return int("".join(groups))


def read_number(text: str) -> tuple[int, int] | None:
    """Numerator and denominator of a normalised text, the latter perhaps 0; None for a text."""
    if len(text) > LONGEST_NUMBER:
        return None
    sign = 1
    if text[:1] in ("+", "-"):
        sign = -1 if text[0] == "-" else 1
        text = text[1:]
    if text.startswith("\\frac{") and text.endswith("}"):
        parts = text[len("\\frac{") : -1].split("}{")
        if len(parts) != 2:
            return None
        above, below = read_integer(parts[0]), read_integer(parts[1])
    elif "/" in text:
        left, _, right = text.partition("/")
        above, below = read_integer(left), read_integer(right)
    elif "." in text:
        left, _, right = text.partition(".")
        if right == "" or any(character not in DIGITS for character in right):
            return None
        whole = 0 if left == "" else read_integer(left)
        if whole is None:
            return None
        below = 10 ** len(right)
        above = whole * below + int(right)
    else:
        above, below = read_integer(text), 1
    if above is None or below is None:
        return None
    return sign * above, below


def matches_nothing(text: str) -> bool:
    if text == "":
        return True
    bare = text[1:] if text[0] in "+-" else text
    if bare in ("nan", "inf", "infinity"):
        return True
    number = read_number(text)
    return number is not None and number[1] == 0


def answers_match(answer: str, reference: str) -> bool:
    left = " ".join(answer.split()).lower()
    right = " ".join(reference.split()).lower()
    if matches_nothing(left) or matches_nothing(right):
        return False
    a, b = read_number(left), read_number(right)
    if a is not None and b is not None:
        return a[0] * b[1] == b[0] * a[1]
    return left == right


def format_reward(completion: str) -> float:
    if extract_answer(completion) is None:
        return 0.0
    before, _, after = split_at_box(completion)
    if before.strip() == "":
        return 0.0
    if after.strip() != "":
        return 0.0
    return 1.0


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    if not (format_weight >= 0 and format_weight < 1):
        raise ValueError(f"expected 0 <= format_weight < 1, got {format_weight}")
    answer = extract_answer(completion)
    right = False if answer is None else answers_match(answer, reference)
    return 1.0 if right else format_weight * format_reward(completion)


def pass_at_k(n: int, c: int, k: int) -> float:
    if n < 1 or k < 1 or k > n:
        raise ValueError(f"expected 1 <= k <= n, got k = {k}, n = {n}")
    if c < 0 or c > n:
        raise ValueError(f"expected 0 <= c <= n, got c = {c}, n = {n}")
    if c == 0:
        return 0.0
    if k > n - c:
        return 1.0
    # C(n - c, k) / C(n, k) by the logarithms of the factorials
    log_share = math.lgamma(n - c + 1) - math.lgamma(n - c - k + 1)
    log_share -= math.lgamma(n + 1) - math.lgamma(n - k + 1)
    return min(max(1.0 - math.exp(log_share), 0.0), 1.0)


def sample(
    policy: nn.Module,
    prompt: Tensor,
    group_size: int,
    max_tokens: int,
    eos_id: int,
    temperature: float,
    generator: Generator,
) -> tuple[Tensor, list[int]]:
    """G completions [G, R] of one prompt [T], and how long each of them is."""
    rows = prompt.expand(group_size, -1)
    lengths = [0] * group_size
    done = [False] * group_size
    for _ in range(max_tokens):
        with torch.no_grad():
            logits = policy(rows)[:, -1, :]
        probabilities = torch.softmax(logits / temperature, dim=-1)
        drawn = torch.multinomial(probabilities, num_samples=1, generator=generator)
        for g in range(group_size):
            if done[g]:
                drawn[g, 0] = eos_id
            else:
                lengths[g] += 1
                done[g] = int(drawn[g, 0]) == eos_id
        rows = torch.cat([rows, drawn], dim=1)
    return rows[:, len(prompt) :], lengths


def completion_log_probs(
    policy: nn.Module, prompt: Tensor, completions: Tensor, temperature: float
) -> Tensor:
    rows = torch.cat([prompt.expand(len(completions), -1), completions], dim=1)
    logits = policy(rows) / temperature
    log_pi = logits - logits.logsumexp(dim=-1, keepdim=True)
    about = log_pi[:, len(prompt) - 1 : -1, :]
    return torch.take_along_dim(about, completions[:, :, None], dim=2)[:, :, 0]


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
        raise ValueError(f"group_size: expected at least 2, got {group_size}")
    for _update in range(updates):
        tokens, references = draw_prompts(prompts)
        groups = []
        all_rewards: list[float] = []
        all_lengths: list[int] = []
        not_tied = 0
        for prompt, reference in zip(tokens, references, strict=True):
            completions, lengths = sample(
                policy, prompt, group_size, max_tokens, eos_id, temperature, generator
            )
            rewards = [verifiable_reward(text, reference) for text in decode(completions)]
            advantages = [0.0] * group_size
            if min(rewards) < max(rewards):
                not_tied += 1
                mean, std = statistics.fmean(rewards), statistics.stdev(rewards)
                advantages = [(reward - mean) / (std + 1e-4) for reward in rewards]
            with torch.no_grad():
                old = completion_log_probs(policy, prompt, completions, temperature)
            groups.append((prompt, completions, lengths, advantages, old))
            all_rewards += rewards
            all_lengths += lengths

        tokens_of_batch = sum(all_lengths)
        for _epoch in range(epochs):
            optimizer.zero_grad()
            for prompt, completions, lengths, advantages, old in groups:
                new = completion_log_probs(policy, prompt, completions, temperature)
                objective = new.new_zeros(())
                for g in range(group_size):
                    n, advantage = lengths[g], advantages[g]
                    ratio = torch.exp(new[g, :n] - old[g, :n])
                    limited = ratio.clamp(1 - epsilon, 1 + epsilon)
                    objective = (
                        objective + torch.minimum(ratio * advantage, limited * advantage).sum()
                    )
                (-objective / tokens_of_batch).backward()
            optimizer.step()

        report = {
            "reward": statistics.fmean(all_rewards),
            "signal": not_tied / len(groups),
            "length": tokens_of_batch / len(all_lengths),
        }
        if not on_update(report):
            break

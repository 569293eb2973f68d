r"""Verifiers on one pattern, and GRPO after TRL's GRPOTrainer."""

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

BOX = r"\boxed{"  # how an answer begins: these seven characters, exactly
LONGEST_NUMBER = 1000  # characters; a longer text is never read as a number

INTEGER = r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)"
NUMBER = re.compile(
    rf"""
    (?P<sign>[+-]?)
    (?:
        (?P<integer>{INTEGER})
      | (?P<whole>{INTEGER})?\.(?P<digits>[0-9]+)
      | (?P<over>{INTEGER})/(?P<under>{INTEGER})
      | \\frac\{{(?P<top>{INTEGER})\}}\{{(?P<bottom>{INTEGER})\}}
    )
    """,
    re.VERBOSE | re.ASCII,
)
NEVER = {sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity")} | {""}


def find_box(completion: str) -> tuple[int, int] | None:
    """The span of the text between the braces of the only box."""
    if completion.count(BOX) != 1:
        return None
    begin = completion.index(BOX) + len(BOX)
    level, at = 1, begin
    while level:
        closing = completion.find("}", at)
        if closing == -1:
            return None
        # every brace up to the next closing one is an opening one
        level += completion.count("{", at, closing) - 1
        at = closing + 1
    return begin, at - 1


def extract_answer(completion: str) -> str | None:
    span = find_box(completion)
    if span is None:
        return None
    answer = completion[span[0] : span[1]].strip()
    return answer if answer else None


def normalise(text: str) -> str:
    return " ".join(text.split()).lower()


def parse(text: str) -> Fraction | None:
    if len(text) > LONGEST_NUMBER:
        return None
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    part = {k: v.replace(",", "") for k, v in match.groupdict().items() if v is not None}
    if "integer" in part:
        value = Fraction(int(part["integer"]))
    elif "digits" in part:
        digits = part["digits"]
        value = int(part.get("whole", "0")) + Fraction(int(digits), 10 ** len(digits))
    else:
        top, bottom = part.get("over", part.get("top")), part.get("under", part.get("bottom"))
        value = Fraction(int(top), int(bottom))
    return -value if part["sign"] == "-" else value


def answers_match(answer: str, reference: str) -> bool:
    answer, reference = normalise(answer), normalise(reference)
    if answer in NEVER or reference in NEVER:
        return False
    try:
        numbers = parse(answer), parse(reference)
    except ZeroDivisionError:
        return False
    if None in numbers:
        return answer == reference
    return numbers[0] == numbers[1]


def format_reward(completion: str) -> float:
    if extract_answer(completion) is None:
        return 0.0
    begin, end = find_box(completion)
    think, tail = completion[: begin - len(BOX)], completion[end + 1 :]
    return float(think.strip() != "" and tail.strip() == "")


def verifiable_reward(completion: str, reference: str, *, format_weight: float = 0.1) -> float:
    if not 0.0 <= format_weight < 1.0:
        raise ValueError(f"`format_weight` must be at least 0 and below 1, got {format_weight}")
    answer = extract_answer(completion)
    accuracy = answer is not None and answers_match(answer, reference)
    return max(float(accuracy), format_weight * format_reward(completion))


def pass_at_k(n: int, c: int, k: int) -> float:
    if c < 0 or c > n:
        raise ValueError(f"c = {c} is not between 0 and n = {n}")
    if k < 1 or k > n:
        raise ValueError(f"k = {k} is not between 1 and n = {n}")
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def selective_log_softmax(logits: Tensor, index: Tensor) -> Tensor:
    return -F.cross_entropy(logits.transpose(1, 2), index, reduction="none")


def get_per_token_logps(
    model: nn.Module, input_ids: Tensor, logits_to_keep: int, temperature: float
) -> Tensor:
    logits = model(input_ids[:, :-1])
    logits = logits[:, -logits_to_keep:] / temperature
    return selective_log_softmax(logits, input_ids[:, -logits_to_keep:])


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt_ids: Tensor,
    max_new_tokens: int,
    eos_id: int,
    temperature: float,
    generator: Generator,
) -> Tensor:
    input_ids = prompt_ids.clone()
    unfinished = torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
    for step in range(max_new_tokens):
        if not unfinished.any():
            missing = max_new_tokens - step
            return F.pad(input_ids, (0, missing), value=eos_id)
        next_token_logits = model(input_ids)[:, -1] / temperature
        probs = F.softmax(next_token_logits, dim=-1)
        next_tokens = torch.multinomial(probs, num_samples=1, generator=generator).squeeze(1)
        next_tokens = torch.where(unfinished, next_tokens, eos_id)
        input_ids = torch.cat([input_ids, next_tokens[:, None]], dim=-1)
        unfinished = unfinished & (next_tokens != eos_id)
    return input_ids


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
        raise ValueError(f"`group_size` must be at least 2, got {group_size}")
    for _ in range(updates):
        prompt_ids, references = draw_prompts(prompts)
        prompt_ids = prompt_ids.repeat_interleave(group_size, dim=0)
        solutions = [reference for reference in references for _ in range(group_size)]

        prompt_completion_ids = generate(
            policy, prompt_ids, max_tokens, eos_id, temperature, generator
        )
        completion_ids = prompt_completion_ids[:, prompt_ids.size(1) :]

        # everything after the first EOS is masked
        is_eos = completion_ids == eos_id
        eos_idx = torch.full((is_eos.size(0),), is_eos.size(1), device=is_eos.device)
        eos_idx[is_eos.any(dim=1)] = is_eos.int().argmax(dim=1)[is_eos.any(dim=1)]
        sequence_indices = torch.arange(is_eos.size(1), device=is_eos.device).expand_as(is_eos)
        completion_mask = (sequence_indices <= eos_idx.unsqueeze(1)).to(torch.get_default_dtype())

        completions = decode(completion_ids)
        rewards = torch.tensor(
            [
                verifiable_reward(text, gold)
                for text, gold in zip(completions, solutions, strict=True)
            ],
            dtype=torch.float64,
        )
        grouped = rewards.view(-1, group_size)
        mean_grouped_rewards = grouped.mean(dim=1).repeat_interleave(group_size)
        std_grouped_rewards = grouped.std(dim=1).repeat_interleave(group_size)
        is_tied = (grouped == grouped[:, :1]).all(dim=1)
        advantages = (rewards - mean_grouped_rewards) / (std_grouped_rewards + 1e-4)
        advantages[is_tied.repeat_interleave(group_size)] = 0.0

        with torch.no_grad():
            old_per_token_logps = get_per_token_logps(
                policy, prompt_completion_ids, max_tokens, temperature
            )
            old_per_token_logps = old_per_token_logps.masked_fill(completion_mask == 0, 0.0)
        advantages = advantages.to(old_per_token_logps)
        for _ in range(epochs):
            per_token_logps = get_per_token_logps(
                policy, prompt_completion_ids, max_tokens, temperature
            )
            per_token_logps = per_token_logps.masked_fill(completion_mask == 0, 0.0)
            coef_1 = torch.exp(per_token_logps - old_per_token_logps)
            coef_2 = torch.clamp(coef_1, 1 - epsilon, 1 + epsilon)
            per_token_loss1 = coef_1 * advantages.unsqueeze(1)
            per_token_loss2 = coef_2 * advantages.unsqueeze(1)
            per_token_loss = -torch.min(per_token_loss1, per_token_loss2)
            loss = (per_token_loss * completion_mask).sum() / completion_mask.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        metrics = {
            "reward": float(rewards.mean()),
            "signal": 1.0 - float(is_tied.double().mean()),
            "length": float(completion_mask.sum(dim=1).mean()),
        }
        if not on_update(metrics):
            return

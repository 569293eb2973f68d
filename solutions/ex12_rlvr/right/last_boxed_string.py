"""The habit of verl and of MATH's grader: rfind, count the braces, strip; pass@k by log-gamma."""

import re
from collections import defaultdict
from fractions import Fraction
from math import exp, lgamma

import torch
from torch.nn import functional as F

BOX = r"\boxed{"
PLAIN = re.compile(r"[-+]?\d+(\.\d+)?|[-+]?\.\d+|[-+]?\d+/\d+", re.ASCII)
LATEX = re.compile(r"([-+]?)\\frac\{([\d,]+)\}\{([\d,]+)\}", re.ASCII)
GROUPED = re.compile(r"(?<![\d,.])\d{1,3}(,\d{3})+(?![\d,])", re.ASCII)


def last_boxed_only_string(string):
    start = string.rfind(BOX)
    if start < 0 or start != string.find(BOX):
        return None
    level = 0
    for i in range(start + len(BOX) - 1, len(string)):
        if string[i] == "{":
            level += 1
        if string[i] == "}":
            level -= 1
            if level == 0:
                return string[start : i + 1]
    return None


def remove_boxed(string):
    return string[len(BOX) : -1].strip()


def extract_answer(completion):
    string = last_boxed_only_string(completion)
    if string is None or remove_boxed(string) == "":
        return None
    return remove_boxed(string)


def strip_string(text):
    return " ".join(text.lower().split())


def to_number(text):
    if len(text) > 1000:
        return None
    latex = LATEX.fullmatch(text)
    if latex:
        text = "{}{}/{}".format(*latex.groups())
    text = GROUPED.sub(lambda match: match.group().replace(",", ""), text)
    return Fraction(text) if PLAIN.fullmatch(text) else None


def is_equiv(one, other):
    one, other = strip_string(one), strip_string(other)
    for text in (one, other):
        if text == "" or re.fullmatch("[+-]?(nan|inf(inity)?)", text):
            return False
    try:
        numbers = [to_number(one), to_number(other)]
    except ZeroDivisionError:
        return False
    if any(number is None for number in numbers):
        return one == other
    return numbers[0] == numbers[1]


def answers_match(answer, reference):
    return is_equiv(answer, reference)


def format_reward(completion):
    string = last_boxed_only_string(completion)
    if string is None or not remove_boxed(string):
        return 0.0
    before, _, after = completion.partition(string)
    return 0.0 if after.strip() or not before.strip() else 1.0


def verifiable_reward(completion, reference, *, format_weight=0.1):
    if format_weight < 0 or format_weight >= 1:
        raise ValueError(f"bad format_weight {format_weight}")
    answer = extract_answer(completion)
    if answer is None:
        return 0.0
    return 1.0 if is_equiv(answer, reference) else format_weight * format_reward(completion)


def pass_at_k(n, c, k):
    if not 0 <= c <= n:
        raise ValueError(f"c = {c}")
    if not 1 <= k <= n:
        raise ValueError(f"k = {k}")
    if n - c < k:
        return 1.0
    logs = lgamma(n - c + 1) - lgamma(n - c - k + 1) + lgamma(n - k + 1) - lgamma(n + 1)
    return min(1.0, max(0.0, 1.0 - exp(logs)))


def generate_sequences(actor, input_ids, response_length, eos_id, temperature, generator):
    position, finished = input_ids.shape[1], torch.zeros(len(input_ids), dtype=torch.bool)
    buffer = torch.cat(
        [input_ids, input_ids.new_full((len(input_ids), response_length), eos_id)], 1
    )
    for t in range(position, position + response_length):
        logits = actor(buffer[:, :t])[:, -1]
        cdf = torch.softmax(logits / temperature, dim=-1).cumsum(dim=-1)
        u = torch.rand(len(cdf), 1, generator=generator, dtype=cdf.dtype) * cdf[:, -1:]
        drawn = torch.searchsorted(cdf, u, right=True).clamp(max=cdf.shape[1] - 1).squeeze(1)
        buffer[:, t] = torch.where(finished, buffer[:, t], drawn)
        finished = finished | (drawn == eos_id)
    return buffer


def get_response_mask(responses, eos_id):
    eos_mask = responses.eq(eos_id).long()
    return (torch.cumsum(eos_mask, dim=1) - eos_mask).eq(0).float()


def compute_log_prob(actor, data, temperature):
    responses = data["responses"]
    logits = actor(data["input_ids"]).div(temperature)[:, -responses.shape[1] - 1 : -1]
    flat = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), responses.flatten(), reduction="none"
    )
    return -flat.view(responses.shape)


def compute_grpo_outcome_advantage(scores, index, epsilon=1e-4):
    id2score = defaultdict(list)
    for uid, score in zip(index, scores, strict=True):
        id2score[uid].append(score)
    advantages = []
    for uid, score in zip(index, scores, strict=True):
        group = torch.tensor(id2score[uid], dtype=torch.float64)
        equal = len(set(id2score[uid])) == 1
        advantages.append(0.0 if equal else float((score - group.mean()) / (group.std() + epsilon)))
    return torch.tensor(advantages, dtype=torch.float32)


def compute_policy_loss(old_log_prob, log_prob, advantages, response_mask, cliprange):
    ratio = torch.exp(log_prob - old_log_prob)
    pg_losses1 = -advantages * ratio
    pg_losses2 = -advantages * torch.clamp(ratio, 1.0 - cliprange, 1.0 + cliprange)
    pg_losses = torch.maximum(pg_losses1, pg_losses2)
    return (pg_losses * response_mask).sum() / response_mask.sum()


def train_grpo(
    policy,
    optimizer,
    *,
    draw_prompts,
    decode,
    eos_id,
    max_tokens,
    updates,
    prompts=16,
    group_size=8,
    epochs=2,
    epsilon=0.2,
    temperature=1.0,
    on_update,
    generator,
):
    if group_size <= 1:
        raise ValueError("group_size must be larger than one")
    for _ in range(updates):
        prompt_ids, ground_truth = draw_prompts(prompts)
        uid = [i for i in range(len(prompt_ids)) for _ in range(group_size)]
        with torch.no_grad():
            input_ids = generate_sequences(
                policy, prompt_ids[uid], max_tokens, eos_id, temperature, generator
            )
            data = {"input_ids": input_ids, "responses": input_ids[:, prompt_ids.shape[1] :]}
            old_log_prob = compute_log_prob(policy, data, temperature)
        data["response_mask"] = get_response_mask(data["responses"], eos_id)
        solution_strs = decode(data["responses"])
        scores = [
            verifiable_reward(s, ground_truth[i]) for s, i in zip(solution_strs, uid, strict=True)
        ]
        advantages = compute_grpo_outcome_advantage(scores, uid).unsqueeze(-1)
        for _ in range(epochs):
            log_prob = compute_log_prob(policy, data, temperature)
            loss = compute_policy_loss(
                old_log_prob, log_prob, advantages, data["response_mask"], epsilon
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        contrast = [
            len({s for s, j in zip(scores, uid, strict=True) if j == i}) > 1 for i in set(uid)
        ]
        keep_going = on_update(
            {
                "reward": sum(scores) / len(scores),
                "signal": sum(contrast) / len(contrast),
                "length": float(data["response_mask"].sum(-1).mean()),
            }
        )
        if not keep_going:
            break

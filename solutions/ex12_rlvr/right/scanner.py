"""Character by character, without a regular expression; fractions by cross products."""

from math import comb

import torch

BOX = r"\boxed{"
DIGITS = frozenset("0123456789")


def find_box(completion):
    parts = completion.split(BOX)
    if len(parts) != 2:
        return None
    before, rest = parts
    opened = 1
    for position, character in enumerate(rest):
        if character == "{":
            opened += 1
        elif character == "}":
            opened -= 1
            if not opened:
                return before, rest[:position], rest[position + 1 :]
    return None


def extract_answer(completion):
    found = find_box(completion)
    if found is None:
        return None
    answer = found[1].strip()
    return answer if answer else None


def integer(text):
    groups = text.split(",")
    if any(not group or not DIGITS.issuperset(group) for group in groups):
        return None
    if len(groups) > 1 and (len(groups[0]) > 3 or any(len(group) != 3 for group in groups[1:])):
        return None
    return int("".join(groups))


def ratio(text):
    """Numerator and denominator, or None."""
    sign = -1 if text.startswith("-") else 1
    if text[:1] in ("+", "-"):
        text = text[1:]
    if text.startswith("\\frac{") and text.endswith("}") and text.count("}{") == 1:
        text = text[6:-1].replace("}{", "/")
        if "/" in text.replace("/", "", 1):
            return None
    elif "." in text:
        whole, _, digits = text.partition(".")
        left = integer(whole) if whole else 0
        if left is None or not digits or not DIGITS.issuperset(digits):
            return None
        return sign * (left * 10 ** len(digits) + int(digits)), 10 ** len(digits)
    top, slash, bottom = text.partition("/")
    top, bottom = integer(top), integer(bottom) if slash else 1
    return None if top is None or bottom is None else (sign * top, bottom)


def answers_match(answer, reference):
    one, other = (" ".join(text.split()).lower() for text in (answer, reference))
    if not one or not other:
        return False
    fractions = []
    for text in (one, other):
        if text.lstrip("+-") in ("nan", "inf", "infinity") and len(text.lstrip("+-")) + 1 >= len(
            text
        ):
            return False
        pair = ratio(text) if len(text) <= 1000 else None
        if pair is not None and pair[1] == 0:
            return False
        fractions.append(pair)
    first, second = fractions
    if first is None or second is None:
        return one == other
    return first[0] * second[1] == second[0] * first[1]


def format_reward(completion):
    found = find_box(completion)
    if found is None:
        return 0.0
    return float(all((found[0].strip(), found[1].strip(), not found[2].strip())))


def verifiable_reward(completion, reference, *, format_weight=0.1):
    if format_weight < 0 or format_weight >= 1:
        raise ValueError("format_weight must lie in [0, 1)")
    answer = extract_answer(completion)
    right = answer is not None and answers_match(answer, reference)
    return max(float(right), format_weight * format_reward(completion))


def pass_at_k(n, c, k):
    if c < 0 or c > n:
        raise ValueError("c must lie in 0..n")
    if k < 1 or k > n:
        raise ValueError("k must lie in 1..n")
    few, many = min(c, k), max(c, k)
    if few > 5000:  # then it is 1 to far more than six digits
        return 1.0
    return 1 - comb(n - many, few) / comb(n, few)


def written(policy, prompt, count, eos_id, max_tokens, temperature, generator):
    """Completions of one prompt as lists of tokens, each with the log-probs of its tokens."""
    completions = [([], []) for _ in range(count)]
    open_ones = list(range(count))
    while open_ones:
        rows = torch.tensor([prompt + completions[i][0] for i in open_ones])
        with torch.no_grad():
            logits = policy(rows)[:, -1] / temperature
        chances = torch.exp(logits - logits.amax(dim=1, keepdim=True))
        drawn = torch.multinomial(chances, 1, generator=generator)
        log_probs = torch.log(chances.gather(1, drawn) / chances.sum(dim=1, keepdim=True))
        for i, token, log_prob in zip(open_ones, drawn.tolist(), log_probs.tolist(), strict=True):
            completions[i][0].extend(token)
            completions[i][1].extend(log_prob)
        open_ones = [
            i
            for i in open_ones
            if completions[i][0][-1] != eos_id and len(completions[i][0]) < max_tokens
        ]
    return completions


def padded(rows, width, filler):
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


def weights_of(rewards):
    """Advantages by the differences within a group."""
    size = len(rewards)
    pairs = sum((a - b) ** 2 for a in rewards for b in rewards)
    spread = (pairs / (2 * size * (size - 1))) ** 0.5
    return [sum(a - b for b in rewards) / size / (spread + 1e-4) for a in rewards]


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
    """Completions as lists; the gradient by way of weights that are held fixed."""
    if group_size < 2:
        raise ValueError("group_size must be 2 or more")
    for _ in range(updates):
        questions, references = draw_prompts(prompts)
        asked = [question for question in questions.tolist() for _ in range(group_size)]
        answers = [reference for reference in references for _ in range(group_size)]
        sampled = []
        for row in questions.tolist():
            sampled += written(policy, row, group_size, eos_id, max_tokens, temperature, generator)
        paid, advantages = [], []
        for (tokens, _), answer in zip(sampled, answers, strict=True):
            paid.append(verifiable_reward(decode(torch.tensor([tokens]))[0], answer))
        groups = [paid[i : i + group_size] for i in range(0, len(paid), group_size)]
        for group in groups:
            advantages += weights_of(group)
        longest = max(len(tokens) for tokens, _ in sampled)
        completions = padded([tokens for tokens, _ in sampled], longest, eos_id)
        old = padded([log_probs for _, log_probs in sampled], longest, 0.0)
        counted = padded([[1.0] * len(tokens) for tokens, _ in sampled], longest, 0.0)
        judged = torch.tensor(advantages).unsqueeze(1) * counted / counted.sum()
        inputs = torch.cat([torch.tensor(asked), completions], dim=1)
        start = inputs.shape[1] - longest
        parameters = [p for p in policy.parameters() if p.requires_grad]
        for _ in range(epochs):
            scores = policy(inputs)[:, start - 1 : -1] / temperature
            scores = scores - scores.logsumexp(dim=-1, keepdim=True)
            log_probs = scores.gather(2, completions.unsqueeze(2)).squeeze(2)
            with torch.no_grad():
                ratio = torch.exp(log_probs - old)
                held = (judged > 0) & (ratio > 1 + epsilon) | (judged < 0) & (ratio < 1 - epsilon)
                weights = torch.where(held, torch.zeros_like(ratio), ratio * judged)
            found = torch.autograd.grad(-(weights * log_probs).sum(), parameters)
            for parameter, gradient in zip(parameters, found, strict=True):
                parameter.grad = gradient
            optimizer.step()
        told = {
            "reward": sum(paid) / len(paid),
            "signal": sum(min(group) < max(group) for group in groups) / len(groups),
            "length": float(counted.sum()) / len(paid),
        }
        if on_update(told) is False:
            break

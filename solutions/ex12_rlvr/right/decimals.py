"""Decimals of unlimited precision instead of fractions; a tokeniser finds boxes and braces."""

import re
from decimal import Context, Decimal
from itertools import accumulate
from statistics import mean, stdev

import torch

TOKEN = re.compile(r"\\boxed\{|\{|\}")
EXACT = Context(prec=5000, Emax=10**6, Emin=-(10**6))
ONE = "(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)"
FORMS = [
    rf"(?P<top>[+-]?{ONE})",
    rf"(?P<top>[+-]?{ONE}?\.[0-9]+)",
    rf"(?P<top>[+-]?{ONE})/(?P<bottom>{ONE})",
    rf"(?P<sign>[+-]?)\\frac\{{(?P<top>{ONE})\}}\{{(?P<bottom>{ONE})\}}",
]


def boxes(completion):
    """All boxes as (start of the command, start inside, end inside or None)."""
    found, stack = [], []
    for token in TOKEN.finditer(completion):
        if token.group() == "}":
            if stack:
                opener = stack.pop()
                if opener is not None:
                    found[opener][2] = token.start()
        elif token.group() == "{":
            if found:
                stack.append(None)
        else:
            stack.append(len(found))
            found.append([token.start(), token.end(), None])
    return found


def only_box(completion):
    found = boxes(completion)
    return found[0] if len(found) == 1 and found[0][2] is not None else None


def extract_answer(completion):
    found = only_box(completion)
    if found:
        answer = completion[found[1] : found[2]].strip()
        if answer != "":
            return answer
    return None


def as_pair(text):
    if len(text) > 1000:
        return None
    for form in FORMS:
        match = re.fullmatch(form, text)
        if match:
            parts = {"sign": "", "bottom": "1"} | match.groupdict()
            top = Decimal((parts["sign"] + parts["top"]).replace(",", ""))
            return top, Decimal(parts["bottom"].replace(",", ""))
    return None


def answers_match(answer, reference):
    texts = [" ".join(text.split()).lower() for text in (answer, reference)]
    pairs = [as_pair(text) for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if text == "" or re.fullmatch("[+-]?(nan|inf|infinity)", text):
            return False
        if pair is not None and pair[1] == 0:
            return False
    if None in pairs:
        return texts[0] == texts[1]
    (a, b), (c, d) = pairs
    return EXACT.multiply(a, d) == EXACT.multiply(c, b)


def format_reward(completion):
    if extract_answer(completion) is None:
        return 0.0
    start, _, end = only_box(completion)
    if completion[:start].isspace() or start == 0:
        return 0.0
    tail = completion[end + 1 :]
    return 1.0 if tail == "" or tail.isspace() else 0.0


def verifiable_reward(completion, reference, *, format_weight=0.1):
    if not 0 <= format_weight < 1:
        raise ValueError("format_weight")
    answer = extract_answer(completion)
    match answer is not None and answers_match(answer, reference):
        case True:
            return 1.0
        case _:
            return format_weight * format_reward(completion)


def pass_at_k(n, c, k):
    if not 0 <= c <= n:
        raise ValueError("c")
    if not 1 <= k <= n:
        raise ValueError("k")
    factors = (max(0, n - k - i) / (n - i) for i in range(c))
    *_, wrong = accumulate(factors, lambda a, b: a * b, initial=1.0)
    return 1.0 - wrong


def complete(policy, prompt, count, *, eos_id, max_tokens, temperature, generator):
    """`count` completions of one prompt, and their log-probs as they were sampled."""
    rows = prompt.expand(count, -1)
    logps = []
    for _ in range(max_tokens):
        with torch.no_grad():
            logp = torch.log_softmax(policy(rows)[:, -1].double() / temperature, dim=-1)
        noise = torch.rand(logp.shape, generator=generator, dtype=torch.float64)
        token = (logp - (-noise.log()).log()).argmax(dim=-1, keepdim=True)  # Gumbel's trick
        logps.append(logp.gather(1, token))
        rows = torch.cat([rows, token], dim=1)
    tokens = rows[:, len(prompt) :]
    lengths = []
    for row in tokens.tolist():
        lengths.append(row.index(eos_id) + 1 if eos_id in row else max_tokens)
    return rows, tokens, torch.cat(logps, dim=1), lengths


def judged(rewards):
    """Advantages of one group, as floats."""
    if min(rewards) == max(rewards):
        return [0.0] * len(rewards)
    centre, spread = mean(rewards), stdev(rewards)
    return [(reward - centre) / (spread + 1e-4) for reward in rewards]


def surrogates(policy, group, start, temperature, epsilon):
    """The sum over the counted tokens of one group; the clip by cases."""
    rows, tokens, old, lengths, advantages = group
    logits = policy(rows)[:, start - 1 : -1].double() / temperature
    total = torch.zeros((), dtype=torch.float64)
    for b, (length, advantage) in enumerate(zip(lengths, advantages, strict=True)):
        logp = torch.log_softmax(logits[b, :length], dim=-1)
        ratio = (logp[range(length), tokens[b, :length]] - old[b, :length]).exp()
        bound = ratio.clamp(max=1 + epsilon) if advantage > 0 else ratio.clamp(min=1 - epsilon)
        total = total + advantage * bound.sum()
    return total


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
    """Prompt by prompt; gradients of the groups are accumulated."""
    if group_size < 2:
        raise ValueError(f"group_size = {group_size}")
    sampling = {
        "eos_id": eos_id,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "generator": generator,
    }
    going = True
    done = 0
    while going and done < updates:
        questions, references = draw_prompts(prompts)
        groups, paid = [], []
        for question, reference in zip(questions, references, strict=True):
            rows, tokens, old, lengths = complete(policy, question, group_size, **sampling)
            rewards = [verifiable_reward(text, reference) for text in decode(tokens)]
            groups.append((rows, tokens, old, lengths, judged(rewards)))
            paid.append(rewards)
        counted = sum(sum(group[3]) for group in groups)
        for _ in range(epochs):
            optimizer.zero_grad()
            for group in groups:
                total = surrogates(policy, group, questions.shape[1], temperature, epsilon)
                (-total / counted).backward()
            optimizer.step()
        done += 1
        going = on_update(
            {
                "reward": mean(reward for rewards in paid for reward in rewards),
                "signal": mean(float(len(set(rewards)) > 1) for rewards in paid),
                "length": counted / (len(groups) * group_size),
            }
        )

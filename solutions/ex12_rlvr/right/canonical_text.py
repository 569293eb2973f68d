"""Every answer becomes one canonical text, so that matching is string equality."""

import math
import re

import torch

HEAD = r"\boxed{"


def split_at_box(completion):
    """(before, inside, after), or three empty texts."""
    nothing = "", "", ""
    first = completion.find(HEAD)
    if first == -1 or completion.find(HEAD, first + 1) != -1:
        return nothing
    start = first + len(HEAD)
    depth = 1
    pieces = re.split(r"([{}])", completion[start:])  # text, brace, text, brace, ...
    length = len(pieces[0])
    for brace, text in zip(pieces[1::2], pieces[2::2], strict=True):
        depth += {"{": 1, "}": -1}[brace]
        if depth == 0:
            end = start + length
            return completion[:first], completion[start:end], completion[end + 1 :]
        length += 1 + len(text)
    return nothing


def extract_answer(completion):
    return split_at_box(completion)[1].strip() or None


def canonical(text):
    text = " ".join(text.split()).lower()
    if text in {"", *(s + w for s in ("", "+", "-") for w in ("nan", "inf", "infinity"))}:
        return None
    if len(text) > 1000:
        return text
    plain = re.sub(r"^([+-]?)\\frac\{([0-9,]+)\}\{([0-9,]+)\}$", r"\1\2/\3", text)
    sign, body = (plain[0], plain[1:]) if plain[0] in "+-" else ("+", plain)
    whole = "([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
    if match := re.fullmatch(rf"{whole}/{whole}", body):
        top, bottom = (int(part.replace(",", "")) for part in match.groups())
    elif match := re.fullmatch(rf"{whole}?(?:\.([0-9]+))?", body):
        left, right = (match.group(1) or "").replace(",", ""), match.group(2) or ""
        top, bottom = int(left + right), 10 ** len(right)
    else:
        return text
    if bottom == 0:
        return None
    shared = math.gcd(top, bottom)
    minus = "-" if sign == "-" and top else ""
    return f"= {minus}{top // shared}/{bottom // shared}"


def answers_match(answer, reference):
    one, other = canonical(answer), canonical(reference)
    return one is not None and other is not None and one == other


def format_reward(completion):
    before, inside, after = (bool(part.strip()) for part in split_at_box(completion))
    return 1.0 if before and inside and not after else 0.0


def verifiable_reward(completion, reference, *, format_weight=0.1):
    if format_weight < 0 or not format_weight < 1:
        raise ValueError("format_weight: from 0 up to, not including, 1")
    boxed = extract_answer(completion)
    if boxed and answers_match(boxed, reference):
        return 1.0
    return format_weight if format_reward(completion) else 0.0


def pass_at_k(n, c, k):
    if not (c >= 0 and c <= n):
        raise ValueError("c out of range")
    if not (k >= 1 and k <= n):
        raise ValueError("k out of range")
    wrong = torch.arange(n - c, n - c - k, -1, dtype=torch.float64).clamp(min=0)
    return 1.0 - (wrong / torch.arange(n, n - k, -1, dtype=torch.float64)).prod().item()

"""Character by character, without a regular expression; fractions by cross products."""

from math import comb

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

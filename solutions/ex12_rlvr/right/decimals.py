"""Decimals of unlimited precision instead of fractions; a tokeniser finds boxes and braces."""

import re
from decimal import Context, Decimal
from itertools import accumulate

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

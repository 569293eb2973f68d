"""The habit of verl and of MATH's grader: rfind, count the braces, strip; pass@k by log-gamma."""

import re
from fractions import Fraction
from math import exp, lgamma

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

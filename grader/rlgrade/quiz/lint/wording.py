"""What is wrong with the words of an item: lengths, phrases, explanations, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rlgrade.quiz import schema
from rlgrade.quiz.scalars import Steps

LONGER, SHORTER = 1.3, 0.7
LEAST_WHY = 25
CODE_LINES = 25
PRINTED_LINES = 5
BANNED = re.compile(
    r"\b(all|none|any|both|neither|two) of (the|these) (above|below|others?|options|answers)\b"
    r"|^(both |neither |only )?\(?[a-e]\)?,? (and|or|nor) \(?[a-e]\)?( only)?[.]?$"
    r"|\bnone of (them|these)\b[.]?$|^(it depends|cannot be determined)[.]?$",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\b[Ww]hich (of|one|statement|option|claim)\b[^?]*\b(not|except)\b[^?]*\?")
LATEX = re.compile(r"\$(?!\{\w+\})|\\[a-zA-Z]+|\\[(\[]")
GENERIC = re.compile(
    r"\b("
    r"a|about|also|an|and|any|are|as|at|be|because|between|both|by|can|clear|clearly|concept|"
    r"concepts|correct|correctly|definition|demonstrates|describe|describes|detail|details|"
    r"discuss|discusses|do|does|each|example|examples|explain|explains|explanation|for|from|"
    r"gives|good|has|have|how|idea|ideas|important|in|into|is|it|its|key|knows|main|mention|"
    r"mentions|more|of|on|one|or|other|practical|practice|relevant|say|says|shows|some|states|"
    r"strong|such|talks|than|that|the|their|them|these|they|thing|things|this|to|topic|"
    r"trade-off|trade-offs|understanding|understands|use|uses|using|well|what|when|where|"
    r"which|why|with"
    r")\b"
)

Found = Iterator[tuple[Steps, str, str]]
Reason = schema.Option | schema.Fix | schema.WrongNumber | schema.WrongOutput


def check_words(item: schema.Item) -> Found:
    """What is wrong with the words of one item, with where it is inside it."""
    yield from _common(item)
    for steps, reason in reasons(item):
        if len(reason.why.strip()) < LEAST_WHY:
            message = f"why has {len(reason.why.strip())} characters; say it in {LEAST_WHY} or more"
            yield (*steps, "why"), "why", message
    for steps, options in choices(item):
        yield from _choice(steps, options)
    if isinstance(item, schema.Single):
        yield from _lengths(item)
    if isinstance(item, schema.Single | schema.Multi):
        yield from _stem(item)
    if isinstance(item, schema.Predict | schema.Bug):
        lines = len(item.code.strip("\n").splitlines())
        if lines > CODE_LINES:
            yield ("code",), "code-length", f"{lines} lines of code; {CODE_LINES} are enough"
    if isinstance(item, schema.Numeric) and not item.wrong:
        yield ("wrong",), "wrong", "no wrong number is diagnosed; add the one that a slip gives"
    if isinstance(item, schema.Open):
        yield from _open(item)


def reasons(item: schema.Item) -> Iterator[tuple[Steps, Reason]]:
    """Everything in an item that has a `why` of its own, and where."""
    for steps, options in choices(item):
        yield from (((*steps, n), option) for n, option in enumerate(options))
    if isinstance(item, schema.Numeric | schema.Predict):
        wrongs: Sequence[Reason] = item.wrong
        for n, wrong in enumerate(wrongs):
            yield ("wrong", n), wrong


def choices(
    item: schema.Item,
) -> Iterator[tuple[Steps, Sequence[schema.Option | schema.Fix]]]:
    """Every list of options in an item, and where."""
    match item:
        case schema.Single() | schema.Multi():
            yield ("options",), item.options
        case schema.Claim():
            yield ("conditions",), item.conditions
        case schema.Bug():
            yield ("fixes",), item.fixes
        case schema.Derive():
            for n, blank in enumerate(item.blanks):
                yield ("blanks", n, "options"), blank.options


def normal(text: str) -> str:
    """The text in small letters, one space for anything between words."""
    return " ".join(re.findall(r"\w+|[^\w\s`*_]", text.lower()))


def _common(item: schema.Item) -> Found:
    if not any(source.strip() for source in item.sources):
        yield ("sources",), "source", "no source; say where the fact can be looked up"
    if not item.covers and not isinstance(item, schema.Case):
        yield ("covers",), "covers", "it covers nothing; name a topic such as T123"
    if len(item.explain.strip()) < 40:
        yield ("explain",), "explain", "the explanation is shorter than 40 characters"
    if len(item.hints) > 3:
        yield ("hints",), "hints", "more than 3 hints"
    for steps, text in texts(item):
        found = LATEX.search(text)
        if found:
            message = f"{found[0]!r} looks like LaTeX; write mathematics in Unicode"
            yield steps, "unicode", message


def texts(item: schema.Item) -> Iterator[tuple[Steps, str]]:
    """The prose of an item, without its code."""
    yield ("stem",), item.stem
    yield ("explain",), item.explain
    for steps, reason in reasons(item):
        yield (*steps, "why"), reason.why
        if isinstance(reason, schema.Option):
            yield (*steps, "text"), reason.text


def _choice(steps: Steps, options: Sequence[schema.Option | schema.Fix]) -> Found:
    seen: set[str] = set()
    for n, option in enumerate(options):
        prose = isinstance(option, schema.Option)
        same = normal(option.text) if prose else option.text.strip()
        if same in seen:
            yield (*steps, n), "same-option", "another option says the same"
        seen.add(same)
        if prose and BANNED.search(option.text.strip()):
            message = f"{option.text!r}: an option never speaks of the other options"
            yield (*steps, n, "text"), "phrase", message


def _lengths(item: schema.Single) -> Found:
    keys = [len(option.text.strip()) for option in item.options if option.correct]
    others = [len(option.text.strip()) for option in item.options if not option.correct]
    if item.length_exempt or not keys or not others:
        return
    if keys[0] > LONGER * max(others):
        message = f"the key has {keys[0]} characters, the longest distractor {max(others)}"
        yield ("options",), "length", f"{message}; at most {LONGER} times as many"
    if keys[0] < SHORTER * min(others):
        message = f"the key has {keys[0]} characters, the shortest distractor {min(others)}"
        yield ("options",), "length", f"{message}; at least {SHORTER} times as many"


def _stem(item: schema.Single | schema.Multi) -> Found:
    if "?" not in item.stem:
        yield ("stem",), "question", "the stem asks nothing; end it with a question"
    if NEGATED.search(item.stem):
        yield ("stem",), "negation", "a stem that negates says NOT in capitals, or asks otherwise"
    for n, option in enumerate(item.options):
        if not option.correct and not option.misconception:
            yield (
                ("options", n),
                "misconception",
                "a wrong option names the misconception behind it",
            )


def _open(item: schema.Open) -> Found:
    if not 3 <= len(item.rubric) <= 6:
        yield ("rubric",), "rubric", f"{len(item.rubric)} rubric points; it needs 3 to 6"
    if not any(point.must for point in item.rubric):
        yield ("rubric",), "rubric", "no point is a must"
    for n, point in enumerate(item.rubric):
        if not specific(point.point):
            message = "the point would fit any question; name a formula, a symbol or a failure"
            yield ("rubric", n, "point"), "rubric", message
    if not item.red_flags:
        yield ("red_flags",), "red-flag", "no red flag"
    if len(item.follow_ups) < 2 or all(f.when == "always" for f in item.follow_ups):
        message = "it needs 2 follow-ups, one of them `missing:ID` or `got:ID`"
        yield ("follow_ups",), "follow-up", message
    if any(not follow_up.expects for follow_up in item.follow_ups):
        yield ("follow_ups",), "follow-up", "a follow-up says what it expects"
    words = len(item.model_answer.short.split())
    if not 100 <= words <= 170:
        message = f"the short answer has {words} words; a minute is 100 to 170"
        yield ("model_answer", "short"), "model-answer", message
    if len(item.model_answer.long.split()) <= words:
        yield (
            ("model_answer", "long"),
            "model-answer",
            "the long answer is no longer than the short",
        )


def specific(text: str) -> bool:
    """Whether a rubric point says something of its own: a sign or number, or four telling words."""
    if re.search(r"[0-9=<>≤≥≈∝∇Σ√πθλγβεδσμα∞−→‖^/*+]|[A-Z]{2,}", text):
        return True
    return len(set(re.findall(r"[a-z][a-z-]{3,}", GENERIC.sub("", text.lower())))) >= 4

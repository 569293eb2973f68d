"""The promises of ex12_rlvr. Completions are built around a known answer, so each oracle is known.

Numbers are spelled in many ways from digits that were drawn; nothing here reads a number. pass@k is
compared with the enumeration of all subsets, and for large n with exact integer arithmetic. The
training loop gets a language model that is a table, prompts and verdicts from a script, and its
steps are compared with the gradient of that table, written down by hand.
"""

import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from rlgrade.author import (
    Array,
    Attempt,
    Draw,
    Generator,
    Strategy,
    SubmissionRaised,
    booleans,
    check,
    described,
    distinct_sizes,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
    expect_shape,
    given,
    integer_tensors,
    integers,
    one_of,
    permutations,
    strategy,
    tensors,
    training,
)
from rlgrade.trainer.token_table import (
    FORMAT,
    NOTHING,
    REWARDS,
    RIGHT,
    Noted,
    Scene,
    after_update,
)

FLOOD = 100_000  # characters
REASONING = one_of("So ", "Let x = 7.\n", "Because {a} holds, ", "6 * 7 }{ is\n\n", "$", "答: ")
TAILS = one_of("", ".", " Done.", "$", "\n", " } {")
PLAIN = one_of(
    "42",
    "x",
    "-7",
    "1/2",
    "a b",
    "[0, 1)",
    "B",
    "x + 1",
    "3.50",
    "A\nB",
    "a  b",
    "0",
    "C\r\nD",
    '"É"',
)
NESTED = one_of(
    r"\frac{1}{2}", "{7}", "{{7}}", "{}", r"\{1, 2\}", "x^{2^{3}}", r"\text{no} + {a}{b}", "{a} {b}"
)
SPACES = one_of("", " ", "\n", "\t ")
KINDS_OF_SPACE = (
    *(" ", "\n", "\x0b", "\x0c", "\x1c", "\x85", "\u00a0", "\u1680", "\u2003", "\u2028", "\u202f"),
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",  # that is all there are
    "\u3000",
)
NO_SPACE = one_of("\u200b", "\ufeff", "\u2060", "\u00ad", "~", "_")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def box(inside: object) -> str:
    r"""The text \boxed{inside}."""
    return rf"\boxed{{{inside}}}"


def shown(text: str) -> str:
    """A text as a learner would write it, cut where it is long; accents by their numbers."""
    if len(text) > 100:
        return f"{text[:60]!r}... ({len(text)} characters)"
    return ascii(text) if any(map(unicodedata.combining, text)) else repr(text)


def expect_answer(submission: Any, completion: str, answer: str | None) -> None:
    """`extract_answer` finds just this answer."""
    found = submission.extract_answer(completion)
    call = f"extract_answer({shown(completion)})"
    equal = type(found) is type(answer) and found == answer
    expect(equal, f"{call} should be {answer!r}; yours is {described(found)}", "extract_answer")


def expect_match(submission: Any, answer: str, reference: str, matches: bool) -> None:
    """`answers_match` says so."""
    said = submission.answers_match(answer, reference)
    call = f"answers_match({shown(answer)}, {shown(reference)})"
    equal = type(said) is bool and said == matches
    expect(equal, f"{call} should be {matches}; yours is {described(said)}", "answers_match")


def expect_format(submission: Any, completion: str, reward: float) -> None:
    """`format_reward` is this float."""
    paid = submission.format_reward(completion)
    call = f"format_reward({shown(completion)})"
    equal = type(paid) is float and paid == reward
    expect(equal, f"{call} should be {reward}; yours is {described(paid)}", "format_reward")


def expect_reward(
    submission: Any, completion: str, reference: str, reward: float, **options: float
) -> None:
    """`verifiable_reward` is this float, up to the rounding of a product."""
    paid = submission.verifiable_reward(completion, reference, **options)
    given = "".join(f", {name}={option}" for name, option in options.items())
    call = f"verifiable_reward({shown(completion)}, {shown(reference)}{given})"
    near = type(paid) is float and abs(paid - reward) <= 1e-9
    expect(near, f"{call} should be {reward}; yours is {described(paid)}", "verifiable_reward")


@dataclass(frozen=True)
class Sample:
    """A completion and what should be extracted from it."""

    completion: str
    answer: str


@strategy
def boxed(draw: Draw, answers: Strategy[str]) -> Sample:
    """Completions with one closed box, spaces inside it, and anything around it."""
    answer = draw(answers)
    inside = draw(SPACES) + answer + draw(SPACES)
    before = draw(REASONING) if draw(one_of(True, True, False)) else ""
    return Sample(before + box(inside) + draw(TAILS), answer)


@dataclass(frozen=True)
class Pair:
    """Two texts to compare."""

    answer: str
    reference: str


def either_way(pairs: tuple[tuple[str, str], ...]) -> Strategy[Pair]:
    """One of the pairs, or the same the other way round."""
    return one_of(*(Pair(*pair) for one, other in pairs for pair in ((one, other), (other, one))))


def spelled(digits: int, places: int, form: str, factor: int) -> str:
    """The number digits / 10^places, not negative, in one of the documented forms."""
    whole, rest = divmod(digits, 10**places)
    decimals = f".{rest:0{places}d}" if places else ""
    top, bottom = digits * factor, 10**places * factor
    padded = f"{whole:0{-len(str(whole)) % 3 + len(str(whole))}d}"  # 7 as 007
    groups = ",".join(padded[i : i + 3] for i in range(0, len(padded), 3))
    return {
        "plain": f"{whole}{decimals}",
        "leading zeros": f"00{whole}{decimals}",
        "trailing zeros": f"{whole}{decimals or '.'}00",
        "grouped": f"{whole:,}{decimals}",
        "ratio": f"{top}/{bottom}",
        "grouped ratio": f"{top:,}/{bottom:,}",
        "frac": rf"\frac{{{top}}}{{{bottom}}}",
        "grouped frac": rf"\frac{{{top:,}}}{{{bottom:,}}}",
        "frac in capitals": rf"\FRAC{{{top}}}{{{bottom}}}",
        "zeros in a ratio": f"0{top}/00{bottom}",
        "zeros in a frac": rf"\Frac{{00{top}}}{{0{bottom}}}",
        "zeros in a group": f"0,{groups}{decimals}",
        "bare point": f"{whole or ''}{decimals}" if places else f"{whole}",
    }[form]


FORMS = one_of(
    "plain",
    "trailing zeros",
    "grouped",
    "ratio",
    "frac",
    "bare point",
    "leading zeros",
    "grouped ratio",
    "grouped frac",
    "frac in capitals",
    "zeros in a ratio",
    "zeros in a frac",
    "zeros in a group",
)


@strategy
def spellings(draw: Draw, digits: int, places: int, negative: bool) -> str:
    """One way to write a number, with its sign and some spaces around it."""
    text = spelled(digits, places, draw(FORMS), draw(integers(1, 3)))
    signs = ("", "+", "-") if digits == 0 else ("-",) if negative else ("", "+")
    return draw(SPACES) + draw(one_of(*signs)) + text + draw(SPACES)


@strategy
def magnitudes(draw: Draw) -> int:
    """Digits of numbers: small, around a thousand, and beyond what float64 can tell apart."""
    return draw(draw(one_of(integers(0, 60), integers(900, 2_000_000), integers(10**17, 10**18))))


@strategy
def equal_numbers(draw: Draw) -> Pair:
    """One number, written twice."""
    number = draw(magnitudes()), draw(integers(0, 3)), draw(booleans())
    return Pair(draw(spellings(*number)), draw(spellings(*number)))


@strategy
def unequal_numbers(draw: Draw) -> Pair:
    """Two different numbers: neighbours, opposites, other powers of ten."""
    digits, places, negative = draw(magnitudes()) + 1, draw(integers(0, 3)), draw(booleans())
    other = draw(
        one_of(
            (digits + 1, places, negative),
            (digits, places + 1, negative),
            (digits, places, not negative),
            (digits * 1000, places, negative),
            (10 * digits + 1, places, negative),
        )
    )
    return Pair(draw(spellings(digits, places, negative)), draw(spellings(*other)))


CLOSE = either_way(
    (
        ("1/3", "0.3333333333"),
        ("1/3", "0.3333333333333333333333333333"),
        ("2/3", "0.6666666666666666666666666667"),
        ("1.0000000000000000000000000000001", "1"),
        ("-1.0000000000000000000000000000001", "-1"),
        ("2/3", "0.66666666666666666667"),
        ("0.1", "0.10000000000000000001"),
        ("9007199254740993", "9007199254740992"),
        ("4", "42"),
        ("1,234", "1.234"),
    )
)

TUPLES = (
    *(("1,2", "12"), ("1,23", "123"), ("1234,567", "1234567"), ("1,,000", "1000"), (",5", "5")),
    *(("1,2345", "12345"), ("12,34,567", "1234567"), (",123", "123"), ("1,000,", "1000")),
    *(("0.1,234", "0.1234"), ("1,23.5", "123.5"), ("1.234,5", "1234.5"), ("1, 234", "1234")),
    *(("1/1,0", "1/10"), ("1/1,2345", "1/12345"), (r"\frac{1,2}{3}", "4"), ("1,2/3", "4")),
)
SIGNS = (
    *(("--5", "5"), ("+-5", "-5"), ("- 5", "-5"), ("5-", "-5"), ("−5", "-5"), ("(5)", "5")),
    *(("++5", "5"), ("+ 5", "5"), ("+", "0"), ("-", "0"), (".-5", "-.5"), ("-(5)", "-5")),
)
NOTATIONS = (
    *(("1e3", "1000"), ("1_000", "1000"), ("0x2a", "42"), ("5.", "5"), ("1 000", "1000")),
    *(("1.5e1", "15"), ("1,000.", "1000"), (".", "0"), ("1..5", "1.5"), ("1.5.", "1.5")),
    *(("1'000", "1000"), ("0. 5", "0.5"), ("0.333...", "1/3"), ("0.(3)", "1/3"), ("5j", "5")),
    *((r"1\,000", "1000"), ("1{,}000", "1000"), ("1:2", "1/2"), ("= 1/2", "1/2"), ("x=5", "5")),
)
RATIOS = (
    *(("1.5/3", "1/2"), ("1 / 2", "1/2"), ("1/2/1", "1/2"), ("1/-2", "-1/2"), ("1//2", "1/2")),
    *(("1/+2", "1/2"), ("1/2.0", "1/2"), (".5/1", "1/2"), ("1./2", "1/2"), ("1/.5", "2")),
    *(("1/", "1"), ("/2", "1/2"), ("(1/2)", "1/2"), ("1 1/2", "3/2"), ("1/ 2", "1/2")),
)
UNITS = (
    ("50%", "50"),
    ("50%", "0.5"),
    ("$42", "42"),
    ("42 m", "42"),
    ("42m", "42"),
    ("42\\%", "42"),
    ("21st", "21"),
    ("90°", "90"),
)
SCRIPTS = (
    ("٤٢", "42"),
    ("４２", "42"),
    ("4²", "42"),
    ("1٬000", "1000"),
    ("४२", "42"),
    ("½", "1/2"),
)
FRACS = (
    *((r"\frac12", "1/2"), (r"\dfrac{1}{2}", "1/2"), (r"\frac{1}{2}/1", "1/2")),
    *((r"\frac{-1}{2}", "-1/2"), (r"\frac{+1}{2}", "1/2"), (r"\frac{1}{-2}", "-1/2")),
    *((r"\frac{1.5}{3}", "1/2"), (r"\frac{ 1 }{2}", "1/2"), (r"\frac {1}{2}", "1/2")),
    *((r"\frac{1} {2}", "1/2"), (r"\frac{1/2}{1}", "1/2"), (r"\frac{1/2}", "1/2")),
    *((r"1\frac{1}{2}", "3/2"), (r"- \frac{1}{2}", "-1/2"), (r"\tfrac{1}{2}", "1/2")),
    *((r"\frac{1}{2}.", "1/2"), (r"\frac{1}{2}{1}", "1/2"), (r"\\frac{1}{2}", "1/2")),
    *(("frac{1}{2}", "1/2"), (r"\frac{{1}}{2}", "1/2"), ("{1}/{2}", "1/2"), ("{5}", "5")),
)
CODE = (
    ("6*7", "42"),
    ("40+2", "42"),
    ("6**2", "36"),
    ("(42)", "42"),
    ("int('42')", "42"),
    ("__import__('os').getpid() * 0", "0"),
    ("exit()", "0"),
    ("x if", "0"),
)


@check(r"returns what stands in the only \boxed{...}")
@given(sample=boxed(PLAIN), examples=60)
def one_box(submission, sample):
    expect_answer(submission, sample.completion, sample.answer)


@check("ends the box at the brace that closes it")
@given(sample=boxed(NESTED), examples=60)
def braces_nest(submission, sample):
    expect_answer(submission, sample.completion, sample.answer)


@check("finds no answer where there is no box, and takes nothing else for one")
@given(
    almost=one_of(
        "",
        "42",
        "The answer is 42",
        r"The answer is \boxed 42",
        "boxed{42}",
        r"\fbox{42}",
        r"\boxed {42}",
        "<answer>42</answer>",
        r"I use \boxed now: ",
        r"\BOXED{42}",
        r"\Boxed{42}",
        r"\boxed[42]",
        r"\boxed\{42\}",
        "\\",
        "/boxed{42}",
        "</think>",
        "```",
    )
)
def no_box(submission, almost):
    expect_answer(submission, almost, None)
    expect_answer(submission, almost + box("5"), "5")
    expect_answer(submission, f"{box('5')} {almost}", "5")


@check("finds no answer in a box that is empty or never closed")
@given(
    reasoning=REASONING,
    rest=one_of(
        box(""),
        box(" "),
        box("\n\t"),
        r"\boxed{42",
        r"\boxed{",
        r"\boxed{\frac{1}{2}",
        r"\boxed{\{1}",
    ),
)
def empty_or_open(submission, reasoning, rest):
    expect_answer(submission, reasoning + rest, None)


SEVERAL = (
    lambda a: f"{box(a)} or {box('43')}",
    lambda a: f"{box('43')} or {box(a)}",
    lambda a: f"{box(a)}, so {box(a)}",
    lambda a: rf"I write my answer in {box('')}: {box(a)}",
    lambda a: rf"{box(a)} and \boxed{{",
    lambda a: box(box(a)),
    lambda a: box(f"{a} or {box('43')}"),
)


@strategy
def hedged(draw: Draw) -> str:
    """Completions in which a box begins more than once."""
    return "So " + draw(one_of(*SEVERAL))(draw(PLAIN))


@check("finds no answer where there are several boxes", needs="one_box")
@given(completion=hedged())
def several_boxes(submission, completion):
    expect_answer(submission, completion, None)


@check("takes every documented form of a number for that number")
@given(pair=equal_numbers(), examples=120)
def equal_numbers_match(submission, pair):
    expect_match(submission, pair.answer, pair.reference, True)


@check("tells different numbers apart, exactly")
@given(pair=unequal_numbers(), close=CLOSE, digits=integers(1, 498), examples=80)
def unequal_numbers_differ(submission, pair, close, digits):
    power = 10**digits
    rounded = Pair("1/3", f"{'3' * digits}/1{'0' * digits}")
    quotients = Pair(f"{power}/{power + 1}", f"{power + 1}/{power + 2}")  # alike to 2 * digits
    for one in (pair, close, rounded, quotients):
        expect_match(submission, one.answer, one.reference, False)


def expect_to_differ(submission: Any, table: tuple[tuple[str, str], ...]) -> None:
    """Each text of the table matches itself and not the one beside it."""
    for text, other in table:
        expect_match(submission, text, other, False)
        expect_match(submission, other, text, False)
        expect_match(submission, text, text, True)


@check("reads no other notation as a number")
def other_notations_are_texts(submission):
    expect_to_differ(submission, NOTATIONS + TUPLES + SIGNS + RATIOS + FRACS)


@check("keeps units and signs of currency, which make a number a text")
def units_make_texts(submission):
    expect_to_differ(submission, UNITS)


@check("takes only the digits 0 to 9 for digits")
def only_ascii_digits(submission):
    expect_to_differ(submission, SCRIPTS)


@check("evaluates neither code nor arithmetic")
def nothing_is_evaluated(submission):
    expect_to_differ(submission, CODE)


DEFINED = (  # and matched, whatever they begin or end with
    *(("infinitely many", "Infinitely many"), ("Nancy", "nancy"), ("info", "info")),
    *(("infancy", "Infancy"), ("nan.", "nan."), ("--inf", "--inf"), ("- nan", "- nan")),
    *(("None", "none"), ("n/a", "N/A"), ("undefined", "undefined"), ("∞", "∞"), ("-", "-")),
    *(("1/0/0", "1/0/0"), ("1.0/0", "1.0/0"), ("1/-0", "1/-0"), ("x/0", "X/0"), ("0", "-0/7")),
    *(("-0", "0"), ("0.0", "-.00"), ("+0", "-0")),
    *((r"\frac{x}{0}", r"\frac{X}{0}"), (r"\frac{0}{1}", "0"), (r"-\frac{0}{10}", "+.0")),
)


@check("matches what is empty or undefined with nothing, and only that")
@given(
    text=one_of(
        *("", " \n", "nan", "NaN", "-nan", "inf", "+Inf", "-Infinity", "1/0", "-0/0", "+nan"),
        *("INFINITY", "1/00", "-1/0,000", r"\frac{1}{0}", r"-\frac{0}{00}", r"\FRAC{2}{0}"),
    ),
    other=one_of("", "nan", "inf", "1/0", "0", "1"),
    defined=one_of(*DEFINED),
    examples=80,
)
def undefined_matches_nothing(submission, text, other, defined):
    expect_match(submission, text, text, False)
    expect_match(submission, text, other, False)
    expect_match(submission, other, text, False)
    expect_match(submission, *defined, True)


@check("compares texts without regard to case and to how much whitespace there is")
@given(
    pair=either_way(
        (
            ("B", "b"),
            ("New York", " new  york\n"),
            ("x + 1", "X +\t1"),
            (r"\text{no}", r"\TEXT{No}"),
            ("1e3", "1E3"),
            ("École", "école"),
            ("ΩΔ", "ωδ"),
            ("a \n b", "\tA B "),
        )
    )
)
def equal_texts_match(submission, pair):
    expect_match(submission, pair.answer, pair.reference, True)


DIFFERENT = (
    ("a", "b"),
    ("B.", "B"),
    ("newyork", "new york"),
    ("$x$", "x"),
    ("not 42", "42"),
    ("41 or 42", "42"),
    ("42, 43", "42"),
    ("York", "New York"),
    ("ı", "i"),  # case is ignored by `lower`; `upper` and `casefold` change letters
    ("straße", "STRASSE"),
    *(("é", "e\u0301"), ("ﬁve", "five"), ("x²", "x2"), ("naïve", "naive")),
    *(("x\u200b", "x"), ("\ufeffx", "x"), ("a\u00adb", "ab")),
    *(("{x}", "x"), ("(x)", "x"), ("[x]", "x"), ("'x'", "x"), ('"x"', "x"), ("`x`", "x")),
    *(("“x”", '"x"'), ("**x**", "x"), ("x;", "x"), ("x!", "x"), ("x,", "x"), ("don't", "dont")),
    *((r"a\,b", "ab"), (r"a\ b", "a b"), (r"\text{b}", "B"), (r"\mathrm{b}", "b"), (r"\(x\)", "x")),
    *((r"\pi", "pi"), (r"\left(x\right)", "(x)"), (r"90^\circ", "90"), (r"\$5", "$5")),
    *((r"\dfrac{x}{2}", r"\frac{x}{2}"), (r"\frac{x}{2}", "x/2"), (r"\frac{1}{2}x", "1/2x")),
    *(("x+1", "x + 1"), ("a, b", "a,b"), ("a, b", "b, a"), ("x+1", "1+x"), ("x^2", "x**2")),
    *(("0.50 m", "0.5 m"), ("1,000 m", "1000 m"), ("+x", "x"), ("007x", "7x"), ("--x", "x")),
    *(("(A)", "A"), ("A)", "A"), ("the cat", "cat"), ("one", "1"), ("true", "1"), ("y = x", "x")),
)


@check("compares the whole of two texts, every sign of them")
def unequal_texts_differ(submission):
    expect_to_differ(submission, DIFFERENT)


def numeral(form: str, last: int, size: int) -> str:
    """The digit `last` as a number of exactly `size` characters, at least 20, without a sign."""
    if form == "groups" and size % 4 == 0:  # groups alone never have so many
        return numeral("groups", last, size - 3) + ".00"
    groups = ",".join(["0" * (size % 4), *["000"] * (size // 4 - 1), f"00{last}"])
    return {
        "digits": str(last).zfill(size),
        "decimals": f"{last}.".ljust(size, "0"),
        "ratio": f"{last}/" + "1".zfill(size - 2),
        "frac": rf"\frac{{{last}}}{{{'1'.zfill(size - 10)}}}",
        "groups": groups,
    }[form]


@check("reads at most 1000 characters as a number", needs="equal_numbers_match")
@given(
    last=integers(1, 9),
    length=one_of(1000, 1001, 4300, 999, 1002, 2000, 5000),
    sign=one_of("", "-"),
    form=one_of("digits", "decimals", "ratio", "frac", "groups"),
    examples=40,
)
def long_numbers(submission, last, length, sign, form):
    text = sign + numeral(form, last, length - len(sign))
    expect_match(submission, "  " + text, f"{sign}{last}", length <= 1000)
    expect_match(submission, text, text + "\n", True)
    endless = f"{last}/".ljust(length, "0")
    expect_match(submission, endless, endless, length > 1000)


WELL_FORMED = one_of(
    lambda r, a: f"{r}{box(a)}",
    lambda r, a: f"  {r} {box(a)} \n\n",
    lambda r, a: f"{r}\n{box(f' {a} ')}\n",
    lambda r, a: f"{r}{box(f'{{{a}}}')}",
)
ILL_FORMED = one_of(
    lambda r, a: f"{r}{box(a)}.",
    lambda r, a: f"{r}{box(a)} is it",
    lambda r, a: box(a),
    lambda r, a: f" \n{box(a)}",
    lambda r, a: f"{r}{box('')}",
    lambda r, a: f"{r}{box(' ')}",
    lambda r, a: f"{r}{box(a)}{box(a)}",
    lambda r, a: f"{r}{box(box(a))}",
    lambda r, a: rf"{r}\boxed{{{a}",
    lambda r, a: rf"{r}\boxed{{{{{a}}}",
    lambda r, a: f"{r}{box(a)}}}",
    lambda r, a: "",
    lambda r, a: f"{r}{a}",
    lambda r, a: f"{r}boxed{{{a}}}",
    lambda r, a: f"{r}${box(a)}$",
    lambda r, a: f"{r}{box(a)}\n\n{r}",
)


@strategy
def written(draw: Draw, shapes: Strategy[Any]) -> str:
    """Completions of one of the shapes."""
    return draw(shapes)(draw(REASONING), draw(PLAIN))


@check("rewards the format: reasoning, one box, nothing")
@given(completion=written(WELL_FORMED), examples=40)
def format_is_rewarded(submission, completion):
    expect_format(submission, completion, 1.0)


@check("rewards no other format")
@given(completion=written(ILL_FORMED))
def format_is_exact(submission, completion):
    expect_format(submission, completion, 0.0)


@check("takes for whitespace what `str.split` takes for it, no less and no more", needs="one_box")
@given(space=one_of(*KINDS_OF_SPACE), no_space=NO_SPACE, examples=20)
def whitespace_is_that_of_split(submission, space, no_space):
    expect_answer(submission, "So " + box(space), None)
    expect_answer(submission, "So " + box(f"{space}4 2{space}"), "4 2")
    expect_answer(submission, "So " + box(no_space), no_space)
    expect_match(submission, f"two{space}words", "two words", True)
    expect_match(submission, f"two {space}words{space}", f"{space}two words", True)
    expect_match(submission, f"two{no_space}words", "two words", False)
    expect_match(submission, f"42{no_space}", "42", False)
    expect_format(submission, space + box("42"), 0.0)
    expect_format(submission, no_space + box("42"), 1.0)
    expect_format(submission, f"So {box('42')}{space}", 1.0)
    expect_format(submission, f"So {box('42')}{no_space}", 0.0)


WEIGHTS = one_of(0.25, 0.0, 0.5, 0.1, 0.75, 0.99)
EQUAL_TEXTS = either_way((("b", "B"), ("New York", " new  york"), (r"\text{no}", r"\text{No}")))
UNEQUAL_TEXTS = one_of(
    *(Pair("a", "b"), Pair("B.", "B"), Pair("x", ""), Pair("nan", "nan"), Pair("1/0", "1/0")),
    *(Pair("None", ""), Pair("42", "x"), Pair("x", "42"), Pair("york", "New York")),
    *(Pair("5", box("5")), Pair("x", box("x")), Pair("42", f"So {box('42')}.")),
)


@strategy
def numbers_or_texts(draw: Draw, numbers: Strategy[Pair], texts: Strategy[Pair]) -> Pair:
    """Two of each three pairs are numbers."""
    return draw(draw(one_of(numbers, texts, numbers)))


@check("gives a right answer 1, no more and no less, however it is written")
@given(
    pair=numbers_or_texts(equal_numbers(), EQUAL_TEXTS),
    reasoning=REASONING,
    tail=TAILS,
    weight=WEIGHTS,
)
def right_answers(submission, pair, reasoning, tail, weight):
    completion = reasoning + box(pair.answer) + tail
    expect_reward(submission, completion, pair.reference, 1.0, format_weight=weight)


@check("gives a wrong answer the weight of the format at most")
@given(
    pair=numbers_or_texts(unequal_numbers(), UNEQUAL_TEXTS),
    reasoning=REASONING,
    tail=TAILS,
    weight=WEIGHTS,
)
def wrong_answers(submission, pair, reasoning, tail, weight):
    completion = reasoning + box(pair.answer) + tail
    earned = weight if not tail.strip() else 0.0
    expect_reward(submission, completion, pair.reference, earned, format_weight=weight)
    if weight == 0.1:
        expect_reward(submission, completion, pair.reference, earned)


HEDGES = (
    lambda a: f"One of {box(a - 1)}, {box(a)}, {box(a + 1)}",
    lambda a: f"{box(a + 1)} is wrong, so {box(a)}",
    lambda a: f"{box(a)} is it, not {box(a + 1)}",
    lambda a: f"So {box(a)}, I repeat: {box(a)}",
    lambda a: rf"The prompt wants it in {box('')}, so {box(a)}",
    lambda a: f"So {box(box(a))}",
    lambda a: rf"So \boxed{{{a}",
    lambda a: f"The answer is {a}",
    lambda a: f"<answer>{a}</answer>",
    lambda a: f"#### {a}",
    lambda a: "",
    lambda a: f"It would be {a}, so {box(a + 1)}.",
    lambda a: f"{a} {a} {a} {box('')}",
    lambda a: f"So {box(a + 1)} {a}",
)
TRICKS = (
    lambda a: f"not {a}",
    lambda a: f"{a} or {a + 1}",
    lambda a: f"{a - 1}, {a}, {a + 1}",
    lambda a: f"the answer is {a}",
    lambda a: f"{a}%",
    lambda a: f"{a} apples",
    lambda a: f"{a}e0",
    lambda a: f"{a}*1",
    lambda a: f"{a}0",
    lambda a: f"1{a}",
    lambda a: str(a).translate(ARABIC),
    lambda a: str(a).translate(FULL_WIDTH),
    lambda a: f"__import__('builtins').int('{a}')",
    lambda a: "nan",
    lambda a: "reference",
)


@check("pays nothing for hedging, quoting or an answer outside the box", needs="right_answers")
@given(number=integers(10, 999), examples=6)
def hedges_earn_nothing(submission, number):
    for hedge in HEDGES:
        expect_reward(submission, hedge(number), str(number), 0.0)


@check("pays nothing where there is no answer, whatever the reference", needs="right_answers")
@given(
    pair=one_of(
        Pair("42", "42"),
        Pair(" -7\n", "-7"),
        Pair("x + 1", "x + 1"),
        Pair("0.5", "1/2"),
        Pair("Hm.", "None"),
        Pair(r"So \boxed{}", "None"),
        Pair(r"\boxed{42", r"\boxed{42"),
        Pair("", ""),
    ),
    examples=60,
)
def no_answer_earns_nothing(submission, pair):
    expect_reward(submission, pair.answer, pair.reference, 0.0)


@check("pays nothing for a trick inside the box", needs="right_answers")
@given(number=integers(10, 999), examples=6)
def tricks_earn_nothing(submission, number):
    for trick in TRICKS:
        expect_reward(submission, f"So {box(trick(number))}.", str(number), 0.0)


@check("refuses a format_weight below 0 or from 1 on with a ValueError that names it")
@given(
    weight=one_of(1.0, -0.1, 2.0, -1.0, 1.5, -0.001, 1.001),
    completion=one_of("So " + box("42"), "So " + box("43"), "So 43", box("43"), ""),
    examples=30,
)
def weights_are_checked(submission, weight, completion):
    with expect_raises(ValueError, naming="format_weight"):
        submission.verifiable_reward(completion, "42", format_weight=weight)


def long_completions() -> list[tuple[str, str, str | None, float]]:
    """Long completions: in words, the text, the answer in it, and the reward of its format."""
    deep = "{" * (FLOOD // 2) + "}" * (FLOOD // 2)
    return [
        ("no box, one letter over and over", "a" * FLOOD, None, 0.0),
        ("spaces between two letters", "x" + " " * FLOOD + "x", None, 0.0),
        ("many backslashes", "\\" * FLOOD, None, 0.0),
        (r"many \boxed without a brace", r"\boxed" * (FLOOD // 6), None, 0.0),
        ("many boxes that never close", "So " + r"\boxed{" * (FLOOD // 7), None, 0.0),
        ("many boxes", "So " + box("42") * (FLOOD // 9), None, 0.0),
        ("a box with many open braces", r"So \boxed{" + "{" * FLOOD, None, 0.0),
        ("a box with deeply nested braces", "So " + box(deep), deep, 1.0),
        ("a box in spaces", "So" + " " * FLOOD + box("42") + " " * FLOOD, "42", 1.0),
        ("spaces in a box", "So " + box(" " * FLOOD + "42" + " " * FLOOD), "42", 1.0),
        ("a letter after many spaces", "So " + box("42") + " " * FLOOD + "x", "42", 0.0),
        ("many closing braces", "So " + box("42") + "}" * FLOOD, "42", 0.0),
        ("many words", "so it is " * (FLOOD // 9) + box("42"), "42", 1.0),
    ]


@check("reads a completion of 100,000 characters in no time", seconds=3.0, needs="one_box")
def long_completions_are_read(submission):
    for words, completion, answer, reward in long_completions():
        found = submission.extract_answer(completion)
        equal = type(found) is type(answer) and found == answer
        should = f"extract_answer of {words} should be {described(answer)}"
        expect(equal, f"{should}; yours is {described(found)}", "extract_answer")
        expect_equal(f"format_reward of {words}", submission.format_reward(completion), reward)


def long_answers() -> list[tuple[str, str, str, bool]]:
    """Answers that take long to read: in words, the answer, the reference, whether they match."""
    nines = "9" * FLOOD
    return [
        ("a number of 100,000 digits and 42", nines, "42", False),
        ("twice the same 100,000 digits", nines, nines, True),
        ("two numbers of 100,000 digits", nines, "+" + nines, False),
        ("a fraction of 100,000 digits", f"{nines}/{nines}", "1", False),
        ("100,000 decimals", "0." + "0" * FLOOD, "0", False),
        ("groups of a thousand without end", "1" + ",000" * (FLOOD // 4), "1", False),
        ("groups of a thousand and a letter", "1" + ",000" * 249 + "x", "1", False),
        ("998 digits and a letter", "9" * 998 + "x", "9", False),
        ("1e999999999", "1e999999999", "0", False),
        ("1e-999999999", "1e-999999999", "0", False),
        ("a tower of powers", "9**9**9**9**9", "9", False),
        ("a power of 100,000 digits", "1e" + nines, "0", False),
        ("100,000 minus signs", "-" * FLOOD + "1", "1", False),
        ("100,000 brackets", "(" * FLOOD + "1" + ")" * FLOOD, "1", False),
        ("nothing but spaces", " " * FLOOD, " ", False),
        ("spaces between two digits", "1" + " " * FLOOD + "1", "1 1", True),
        ("100,000 digits of another script", "٣" * FLOOD, "3", False),
        ("100,000 letters and two ends", "x" * FLOOD + "y", "x" * FLOOD + "z", False),
    ]


@check("decides on answers of any size in no time", seconds=3.0, needs="equal_numbers_match")
def long_answers_are_decided(submission):
    for words, answer, reference, matches in long_answers():
        expect_equal(
            f"answers_match for {words}", submission.answers_match(answer, reference), matches
        )


@strategy
def tallies(draw: Draw) -> dict[str, int]:
    """n, c and k for `pass_at_k`, small enough to enumerate."""
    n = draw(integers(1, 10))
    return {"n": n, "c": draw(integers(0, n)), "k": draw(integers(1, n))}


@check("agrees with looking at every subset of k samples")
@given(tally=tallies())
def counts_subsets(submission, tally):
    n, c, k = tally["n"], tally["c"], tally["k"]
    subsets = list(combinations([True] * c + [False] * (n - c), k))
    share = sum(map(any, subsets)) / len(subsets)
    expect_close("pass_at_k", submission.pass_at_k(n, c, k), share, rtol=0.0, atol=1e-6)


def exact_pass_at_k(n: int, c: int, k: int) -> float:
    """The definition in whole numbers; for small c or small k."""
    few, many = sorted((c, k))
    top = bottom = 1
    for i in range(few):
        top *= max(n - many - i, 0)
        bottom *= n - i
    return float(1 - Fraction(top, bottom))


@check("stays finite and exact for large n", needs="counts_subsets")
@given(
    n=one_of(1000, 20_000, 1500, 99_997),
    few=integers(0, 40),
    share=one_of(0.5, 0.01, 0.1, 1.0),
    swapped=booleans(),
    examples=16,
)
def large_n(submission, n, few, share, swapped):
    many = int(n * share)
    c, k = (many, max(few, 1)) if swapped else (few, many)
    expect_pass(submission, (n, c, k), (99_998, 1, 49_999))  # 1/2, where no digits can cancel


def expect_pass(submission: Any, *tallies: tuple[int, int, int]) -> None:
    """`pass_at_k` agrees with exact arithmetic; all are asked before any is judged."""
    answers = [submission.pass_at_k(*tally) for tally in tallies]
    for tally, answer in zip(tallies, answers, strict=True):
        exact = exact_pass_at_k(*tally)
        expect_close(f"pass_at_k{tally}", answer, exact, rtol=0.0, atol=1e-6)


# The limit lies far from both: whole binomial coefficients take 80 s for this, a loop over the
# factors less than half a second.
@check("takes no time for a million samples, whatever c and k are", seconds=10.0, needs="large_n")
@given(few=integers(1, 4), less=integers(0, 9), examples=4)
def a_million_samples(submission, few, less):
    n = 10**6 - less
    for c, k in ((few, n // 2), (n // 2, few), (700 + less, 900 * few), (900, 800)):
        expect_pass(submission, (n, c, k))
    expect_close("pass_at_k", submission.pass_at_k(n, 20_000, 30_000), 1.0, rtol=0.0, atol=1e-6)


@strategy
def wrong_tallies(draw: Draw) -> dict[str, Any]:
    """n, c and k of which one is out of its range, and its name."""
    n = draw(integers(1, 6))
    tally = {"n": n, "c": draw(integers(0, n)), "k": draw(integers(1, n))}
    wrong = draw(one_of("k", "c"))
    tally[wrong] = draw(one_of(n + 1, n + 5, -1, 0 if wrong == "k" else -2))
    return tally | {"wrong": wrong}


@check("refuses a c or k out of its range with a ValueError that names it")
@given(tally=wrong_tallies(), below=integers(-1, 0), few=integers(0, 1), examples=60)
def ranges_are_checked(submission, tally, below, few):
    with expect_raises(ValueError, naming=tally["wrong"]):
        submission.pass_at_k(tally["n"], tally["c"], tally["k"])
    try:
        answer = submission.pass_at_k(below, 0, few)
    except SubmissionRaised as raised:  # it may name what it likes
        if "ValueError" not in raised.types:
            raise
    else:
        wrong = f"pass_at_k({below}, 0, {few}) should raise a ValueError; yours is {answer!r}"
        expect(False, wrong, "pass_at_k without samples")


# The loop.

LOOP_SECONDS = 20.0  # a loop that samples row by row is right, too, also on a busy machine


@strategy
def scenes(
    draw: Draw,
    *,
    updates: int = 1,
    epochs: tuple[int, ...] = (1,),
    rates: tuple[float, ...] = (2.0, 0.5),
    verdicts: tuple[int, ...] = (NOTHING, RIGHT),
    temperatures: tuple[float, ...] = (1.0, 0.5, 2.0, 0.7),
) -> Scene:
    """Scenes in which the first group of each update has contrast; all axes differ.

    Prompts hold any tokens, EOS too.
    """
    p, g, t, r, v = draw(distinct_sizes((2, 3), (2, 4), (2, 4), (3, 5), (4, 5)))
    codes = np.array(verdicts)[draw(integer_tensors(updates, p, g, low=0, high=len(verdicts) - 1))]
    codes[:, 0, :2] = verdicts[:2]
    return Scene(
        table=draw(tensors(v, v, low=-1.0, high=1.0)).astype(np.float64),
        questions=draw(integer_tensors(updates, p, t, low=0, high=v - 1)),
        verdicts=codes,
        eos_id=draw(integers(0, v - 1)),
        max_tokens=r,
        epochs=draw(one_of(*epochs)),
        epsilon=draw(one_of(0.2, 0.1, 0.3)),
        temperature=draw(one_of(*temperatures)),
        learning_rate=draw(one_of(*rates)),
        seed=draw(integers(0, 999)),
    )


@strategy
def successions(draw: Draw) -> Scene:
    """Scenes in which each prompt has a first token of its own, which is as good as certain."""
    scene = draw(scenes(updates=2, temperatures=(1.0,)))
    tokens = len(scene.table)
    last = np.argsort(draw(permutations(tokens)))[: scene.questions.shape[1]]
    table = scene.table.copy()
    for token in last:
        table[token, (token + 1) % tokens] = 60.0
    questions = scene.questions.copy()
    questions[:, :, -1] = last
    return replace(scene, table=table, questions=questions)


@strategy
def steep_scenes(draw: Draw) -> Scene:
    """Scenes of low temperature, in which the norm of each gradient is far above 10."""
    scene = draw(scenes(temperatures=(0.001,)))
    low = scene.temperature
    return replace(scene, table=scene.table * low, learning_rate=scene.learning_rate * low)


@dataclass(frozen=True)
class Trained:
    """What a loop did: what it asked for, and the table after each update."""

    noted: Noted
    tables: list[Array]
    policy: Any

    @property
    def rows(self) -> list[list[list[int]]]:
        """The completions of each update."""
        return self.noted.rows


def trained(
    submission: Any, scene: Scene, stop_after: int | None = None, *, left: bool = False
) -> Trained:
    """Run the submission's loop on a scene; `left` gives the policy gradients from before."""
    noted = Noted(scene, stop_after)
    policy = submission.tools.token_table(scene.table)
    if left:
        submission.tools.leave_gradients(policy)
    tables: list[Array] = []

    def on_update(told: Any) -> bool:
        tables.append(submission.tools.parameters(policy).get("table"))
        return noted.hear(told)

    submission.train_grpo(
        policy,
        submission.tools.sgd(policy, scene.learning_rate),
        draw_prompts=submission.lend_function(noted.draw),
        decode=submission.lend_function(noted.decode),
        eos_id=scene.eos_id,
        max_tokens=scene.max_tokens,
        updates=scene.updates,
        prompts=scene.questions.shape[1],
        group_size=scene.group_size,
        epochs=scene.epochs,
        epsilon=scene.epsilon,
        temperature=scene.temperature,
        on_update=submission.lend_function(on_update),
        generator=Generator(scene.seed),
    )
    submission.tools.echo(noted.summary())  # an answer too, by which known mistakes are recognised
    return Trained(noted, tables, policy)


def expect_all_updates(run: Trained) -> None:
    """Prompts were drawn, completions decoded and updates told as often as there are updates."""
    scene = run.noted.scene
    told = len(run.tables)
    expect(
        told == scene.updates,
        f"on_update should be called once in each of {scene.updates} updates; yours called it "
        f"{told} times",
        "on_update",
    )
    count = scene.verdicts[0].size
    for rows in run.rows:
        expect(
            len(rows) == count,
            f"{scene.questions.shape[1]} prompts with {scene.group_size} completions each make "
            f"{count} to decode; yours decoded {len(rows)}",
            "decode",
        )


def expect_the_steps(submission: Any, scene: Scene, *, left: bool = False) -> None:
    """Each update changes the table as the documented steps on its own samples do."""
    run = trained(submission, scene, left=left)
    expect_all_updates(run)
    before = scene.table
    for update, (rows, after) in enumerate(zip(run.rows, run.tables, strict=True)):
        expect_shape("the table of logits", after, before.shape)
        expect(bool(np.isfinite(after).all()), "the policy's parameters became infinite or nan")
        expected, unsure = after_update(scene, update, before, rows)
        if not unsure:
            name = f"the change of the logits in update {update + 1}"
            expect_close(name, after - before, expected - before, rtol=2e-5, atol=1e-6)
        before = after


@check(
    "train_grpo samples `group_size` completions of each prompt, decoded group after group",
    seconds=LOOP_SECONDS,
)
@given(scene=successions(), examples=8, lends=True)
def samples_groups(submission, scene):
    run = trained(submission, scene)
    expect_all_updates(run)
    tokens = len(scene.table)
    for update, rows in enumerate(run.rows):
        for number, row in enumerate(rows):
            prompt = number // scene.group_size
            first = (int(scene.questions[update, prompt, -1]) + 1) % tokens
            expect(
                row[:1] == [first],
                f"row {number} of what is decoded should be a completion of prompt {prompt}, which "
                f"begins with token {first}; yours is {row}",
                "the rows",
            )


@check("train_grpo ends each completion at its first EOS, or at `max_tokens`", seconds=LOOP_SECONDS)
@given(scene=scenes(), eos=one_of("any", "never", "at once"), examples=10, lends=True)
def ends_completions(submission, scene, eos):
    table = scene.table.copy()
    table[:, scene.eos_id] += {"any": 0.0, "never": -60.0, "at once": 60.0}[eos]
    run = trained(submission, replace(scene, table=table))
    expect_all_updates(run)
    for row in run.rows[0]:
        whole = row[-1] == scene.eos_id or len(row) == scene.max_tokens
        expect(
            whole and len(row) <= scene.max_tokens,
            f"a completion should have {scene.max_tokens} tokens, or end with EOS before; "
            f"yours has {len(row)} and no EOS among the first {scene.max_tokens}",
            "the length",
        )


@check(
    "train_grpo samples each token from the policy's distribution at this temperature",
    seconds=LOOP_SECONDS,
)
@given(
    table=tensors(4, 4, low=-1.5, high=1.5),
    temperature=one_of(0.5, 2.0),
    seed=integers(0, 10**6),
    examples=3,
    lends=True,
)
def samples_at_the_temperature(submission, table, temperature, seed):
    table = table.astype(np.float64)
    questions = np.array([[[3, 1, 2], [0, 2, 1]]])
    verdicts = np.full((1, 2, 200), NOTHING)
    scene = Scene(table, questions, verdicts, 0, 4, 1, 0.2, temperature, 1.0, seed)
    run = trained(submission, scene)
    expect_all_updates(run)
    counts = np.zeros_like(table)
    for number, row in enumerate(run.rows[0]):
        start = int(questions[0, number // 200, -1])
        for before, token in zip([start, *row], row, strict=False):
            counts[before, min(max(token, 0), 3)] += 1
    chances = np.exp(table / temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    reads = counts.sum(axis=1, keepdims=True)
    off = np.abs(counts - reads * chances)
    limit = 6 * np.sqrt(reads * chances * (1 - chances)) + 4
    for before, token in np.argwhere(off > limit)[:1]:
        share, chance = counts[before, token] / reads[before, 0], chances[before, token]
        expect(
            False,
            f"after token {before}, token {token} should be sampled with probability {chance:.3f}; "
            f"its share in {reads[before, 0]:.0f} samples is {share:.3f}",
            "the share of a token",
        )


@check(
    "train_grpo takes the randomness of its samples from the generator",
    needs="samples_groups",
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(updates=2), examples=4, lends=True)
def follows_the_generator(submission, scene):
    table = scene.table / 4
    table[:, scene.eos_id] -= 60.0
    scene = replace(scene, table=table)
    one, again = trained(submission, scene), trained(submission, scene)
    expect(one.rows == again.rows, "the same seed should give the same completions", "same")
    others = [trained(submission, replace(scene, seed=scene.seed + k)).rows for k in (1, 2, 3)]
    expect(
        any(other[0] != one.rows[0] for other in others),
        "another seed should give other completions",
        "other",
    )


@check(
    "train_grpo takes the step of the documented loss: the right tokens, advantages and divisor",
    needs="samples_groups",
    weight=3,
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(), examples=30, lends=True)
def takes_the_step(submission, scene):
    expect_the_steps(submission, scene)


@check(
    "train_grpo takes the gradient as it is, however large its norm",
    needs="takes_the_step",
    seconds=LOOP_SECONDS,
)
@given(scene=steep_scenes(), examples=6, lends=True)
def takes_large_gradients(submission, scene):
    expect_the_steps(submission, scene)


@check(
    "train_grpo clips the ratio to the policy that sampled, in the second step and after",
    needs="takes_the_step",
    weight=2,
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(epochs=(2, 3), rates=(12.0, 4.0)), examples=30, lends=True)
def clips_later_steps(submission, scene):
    expect_the_steps(submission, scene)


@check(
    "train_grpo samples, scores and steps anew in each update, with nothing left from before",
    needs="takes_the_step",
    weight=2,
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(updates=3, epochs=(1, 2), rates=(4.0, 1.0)), examples=12, lends=True)
def begins_each_update_anew(submission, scene):
    expect_the_steps(submission, scene, left=True)


@check(
    "train_grpo scores a completion by verifiable_reward, with the reference of its own prompt",
    needs="wrong_answers",
    seconds=LOOP_SECONDS,
)
@given(
    scene=scenes(updates=2, verdicts=(FORMAT, RIGHT, NOTHING)),
    examples=10,
    lends=True,
)
def pays_what_is_verified(submission, scene):
    run = trained(submission, scene)
    expect_all_updates(run)
    for told, verdicts in zip(run.noted.told, scene.verdicts, strict=True):
        number = told.get("reward") if isinstance(told, dict) else None
        expect_close("the reward that is told", number, float(REWARDS[verdicts].mean()))
    expect_the_steps(submission, scene)


@check(
    "train_grpo changes nothing where all groups are tied, whatever they earn", seconds=LOOP_SECONDS
)
@given(
    scene=scenes(epochs=(2,), rates=(50.0,)),
    kinds=integer_tensors(8, low=0, high=2),
    completions=one_of(7, 3, 10, 13),
    examples=12,
    lends=True,
)
def learns_nothing_from_ties(submission, scene, kinds, completions):
    prompts = scene.questions.shape[1]
    kinds = (kinds[:prompts] + FORMAT) % 3
    verdicts = np.repeat(kinds[None, :, None], completions, axis=2)
    run = trained(submission, replace(scene, verdicts=verdicts))
    expect_all_updates(run)
    change = float(np.abs(run.tables[0] - scene.table).max())
    expect(
        change == 0.0,
        f"groups whose rewards are all equal should leave the policy as it is; yours changed a "
        f"logit by {change:.3g}",
        "the change",
    )


@check(
    "train_grpo runs the policy with gradient for its losses only, `epochs` times per completion",
    needs="samples_groups",
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(updates=2, epochs=(1, 2, 3)), examples=6, lends=True)
def samples_without_gradient(submission, scene):
    run = trained(submission, scene)
    expect_all_updates(run)
    read = submission.tools.attribute(run.policy, "rows_with_gradient")
    most = scene.epochs * scene.verdicts.size
    expect(
        type(read) is int and read <= most,
        f"with gradient the policy should read at most {most} rows of tokens, {scene.epochs} times "
        f"{scene.verdicts.size} completions; yours read {read}",
        "the rows with gradient",
    )


@check("train_grpo ends when on_update says so", needs="samples_groups", seconds=LOOP_SECONDS)
@given(scene=scenes(updates=3), stop_after=integers(1, 2), examples=6, lends=True)
def ends_when_told(submission, scene, stop_after):
    run = trained(submission, scene, stop_after)
    seen = {"draws prompts": run.noted.draws, "calls on_update": len(run.tables)}
    for what, times in seen.items():
        expect(
            times == stop_after,
            f"when on_update has returned False after update {stop_after}, nothing more should "
            f"happen; yours {what} {times} times",
            what,
        )


@check(
    "train_grpo tells the mean reward, the share of groups with contrast and the mean length",
    needs="samples_groups",
    seconds=LOOP_SECONDS,
)
@given(scene=scenes(updates=2, verdicts=(NOTHING, FORMAT, RIGHT)), examples=10, lends=True)
def tells_how_it_goes(submission, scene):
    run = trained(submission, scene)
    expect_all_updates(run)
    for told, verdicts, rows in zip(run.noted.told, scene.verdicts, run.rows, strict=True):
        expected = {
            "reward": float(REWARDS[verdicts].mean()),
            "signal": float(np.mean([len(set(group)) > 1 for group in verdicts.tolist()])),
            "length": float(np.mean([len(row) for row in rows])),
        }
        expect(isinstance(told, dict), f"on_update gets a dict; yours is {described(told)}", "told")
        for name, number in expected.items():
            expect(name in told, f"what on_update is told lacks {name!r}", "told")
            expect(type(told[name]) is float, f"{name!r} should be a Python float", "told")
            expect_close(f"what on_update is told as {name!r}", told[name], number)


@check(
    "train_grpo refuses groups of one with a ValueError that names group_size", seconds=LOOP_SECONDS
)
@given(scene=scenes(), examples=3, lends=True)
def refuses_groups_of_one(submission, scene):
    with expect_raises(ValueError, naming="group_size"):
        trained(submission, replace(scene, verdicts=scene.verdicts[:, :, :1]))


@check(
    "train_grpo teaches a language model to answer: 85 % right on prompts that it never saw",
    needs="takes_the_step",
    weight=3,
    seconds=120.0,
)
@training(
    goal=0.85,
    null=0.12,
    unit="share of right answers",
    budget=80,
    alive_by=(50, 0.3),
    likely={
        "flat": "a loss without gradient: old log-probs that are not detached, greedy samples, or "
        "rewards that do not tell the completions of a prompt apart",
        "worse": "a loss of the wrong sign, or rewards that belong to other completions",
        "slow": "advantages or tokens that belong to other completions",
        "collapse": "gradients or old log-probs that are left over from an earlier update",
        "not finite": "a division by the standard deviation of a tied group",
    },
)
def learns_to_answer(submission, attempt: Attempt):
    from rlgrade.trainer import verifiable

    prompts, group_size, epochs = 16, 8, 2
    lessons = verifiable.Lessons(
        attempt, updates=attempt.goal.budget, prompts=prompts, group=group_size, epochs=epochs
    )
    policy = submission.tools.language_model(
        lessons.first_parameters, **verifiable.shape_of_model()
    )
    reached = 0.0

    def on_update(told: Any) -> bool:
        nonlocal reached
        lessons.follow(submission.tools.parameters(policy))
        if lessons.updates % 2 == 0:
            reached = lessons.score()
            attempt.point(lessons.updates, reached)
        return reached < attempt.goal.score

    submission.train_grpo(
        policy,
        submission.tools.adam(policy, verifiable.LEARNING_RATE),
        draw_prompts=submission.lend_function(lessons.draw),
        decode=submission.lend_function(lessons.decode),
        eos_id=verifiable.EOS,
        max_tokens=verifiable.RESPONSE,
        updates=attempt.goal.budget,
        prompts=prompts,
        group_size=group_size,
        epochs=epochs,
        on_update=submission.lend_function(on_update),
        generator=Generator(attempt.seed),
    )
    if reached < attempt.goal.score:
        raise attempt.not_learned(reached)

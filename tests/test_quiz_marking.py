"""Every kind of question: drawn the same from the same seed, and marked right, wrong, in part."""

import math
import random
import time
from pathlib import Path

import msgspec
import pytest

from rlgrade.outcome import GraderError, UsageError
from rlgrade.quiz import presenting, schema
from rlgrade.quiz.answers import LETTERS, AnswerError
from rlgrade.quiz.arithmetic import ArithmeticProblem, number, parse, value
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.comparing import common_subsequence, same_output
from rlgrade.quiz.drawing import draw
from rlgrade.quiz.marking import mark, mark_blank, mark_open, within
from rlgrade.quiz.patching import PatchError, patched
from rlgrade.quiz.snippets import Snippet, printed, run_snippets

BANK = Bank(Path(__file__).with_name("quizzes"), ["ex01_sums"])
KEYED = [
    entry.item.id
    for entry in BANK.entries(inner=True)
    if not isinstance(entry.item, schema.Open | schema.Case)
]


def drawn(name, seed=0):
    return draw(BANK.find(f"kinds.{name}").item, seed, BANK.functions)


def typed(instance, *texts):
    """The letters of the options or blocks with these texts, as displayed."""
    shown = [entry.text for entry in (*instance.options, *instance.blocks)]
    return " ".join(LETTERS[shown.index(text)] for text in texts)


@pytest.mark.parametrize("name", KEYED)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_its_own_key_is_right_on_every_seed(name, seed):
    instance = draw(BANK.find(name).item, seed, BANK.functions)
    marked = mark(instance, presenting.key(instance))
    assert (marked.right, marked.score, marked.message) == (True, 1.0, "")


@pytest.mark.parametrize("entry", BANK.entries(inner=True), ids=lambda entry: entry.item.id)
def test_the_same_seed_draws_the_same_question(entry):
    one, other = (draw(entry.item, 5, BANK.functions) for _ in range(2))
    assert presenting.question(one) == presenting.question(other)
    assert presenting.key(one) == presenting.key(other) or one.children


def test_draws_do_not_change_between_releases():
    """A seed that a teacher gave out must show the same question for ever."""
    assert drawn("numeric.sum", 7).stem == "What is 3.39 + 9?"
    assert [option.id for option in drawn("multi.primes", 7).options] == list("cbade")


def test_other_seeds_and_other_parts_are_drawn_apart():
    keys = [drawn("numeric.sum", seed).value for seed in range(40)]
    assert len(set(keys)) > 30
    places = [
        [option.correct for option in drawn("single.sum", seed).options].index(True)
        for seed in range(300)
    ]
    assert all(70 < places.count(place) < 130 for place in range(3))
    first = [drawn("numeric.sum", seed).parameters["first"] > 5.5 for seed in range(300)]
    second = [drawn("numeric.sum", seed).parameters["second"] > 5 for seed in range(300)]
    assert 110 < sum(a == b for a, b in zip(first, second, strict=True)) < 190


def test_the_revision_is_part_of_the_seed():
    item = BANK.find("kinds.multi.primes").item
    edited = msgspec.structs.replace(item, rev=2)
    orders = {
        tuple(option.id for option in draw(one, 0, BANK.functions).options)
        for one in (item, edited)
    }
    assert len(orders) == 2


def test_drawing_leaves_the_global_generator_alone():
    random.seed(1)
    before = random.getstate()
    for entry in BANK.entries():
        draw(entry.item, 3, BANK.functions)
    assert random.getstate() == before


def test_rejected_draws_are_drawn_again():
    assert all(drawn("numeric.drawn", seed).value < 0 for seed in range(30))
    item = BANK.find("kinds.numeric.drawn").item
    never = msgspec.structs.replace(
        item, params=item.params | {"factor": schema.Parameter(choice=[3])}
    )
    with pytest.raises(UsageError, match="refuses every draw of seed 1"):
        draw(never, 1, BANK.functions)


def test_texts_are_filled_with_what_was_drawn():
    instance = drawn("numeric.sum", 3)
    first = presenting.shown(instance.parameters["first"])
    assert instance.stem.startswith(f"What is {first} + ")
    assert instance.hints == (f"Begin with {first}.",)
    assert f"together are {instance.value:.6g}," in instance.explain


def test_single():
    instance = drawn("single.sum")
    marked = mark(instance, typed(instance, "six"))
    assert (marked.right, marked.score) == (False, 0.0)
    assert marked.message == "That would be their product instead."
    assert marked.misconceptions == ("kinds.other",)
    place = [option.text for option in instance.options].index("five")
    assert mark(instance, str(place + 1)).right
    assert mark(instance, f" {LETTERS[place].upper()}) ").right


def test_multi_takes_false_alarms_from_hits():
    instance = drawn("multi.primes")
    assert mark(instance, typed(instance, "2", "5")).score == pytest.approx(2 / 3)
    partly = mark(instance, typed(instance, "2", "3", "4"))
    assert partly.score == pytest.approx(1 / 3)
    assert partly.misconceptions == ("kinds.other",)
    assert partly.message == "2 of your 3 choices are right"
    assert mark(instance, typed(instance, "1", "4")).score == 0.0
    everything = mark(instance, "abcde")
    assert (everything.right, everything.score) == (False, pytest.approx(1 / 3))


def test_numeric():
    instance = drawn("numeric.sum")
    first, second = instance.parameters["first"], instance.parameters["second"]
    assert mark(instance, f"{first} + {second}").right
    assert mark(instance, f"≈ {instance.value * 1.0009:.6f} nats").right
    assert mark(instance, str(instance.value).replace("-", "−")).right
    product = mark(instance, f"{first * second:.4f}")
    assert product.message == f"You multiplied {first} by the other number."
    assert product.misconceptions == ("kinds.slip",)
    assert mark(instance, f"{first - second:.3f}").message.startswith("You subtracted")
    assert "sign" in mark(instance, str(-instance.value)).message
    near = mark(instance, str(instance.value * 1.005))
    assert not near.right
    assert "more digits" in near.message
    assert mark(instance, "1000").message == ""


def test_tolerance_is_relative_to_the_size_of_the_key():
    item = BANK.find("kinds.numeric.sum").item
    assert within(-1000.0, -1000.9, item)
    assert not within(-1000.0, -1001.2, item)


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [("abcd", "acbd", 3), ("aab", "ab", 2), ("ab", "aab", 2), ("abab", "baba", 3), ("", "a", 0)],
)
def test_the_longest_common_subsequence(one, other, length):
    assert common_subsequence(one, other) == length


def test_a_fraction_where_percent_are_wanted_is_told():
    item = msgspec.structs.replace(BANK.find("kinds.numeric.sum").item, unit="%")
    instance = draw(item, 2, BANK.functions)
    assert mark(instance, f"{instance.value} %").right
    assert "in percent" in mark(instance, str(instance.value / 100)).message


def test_numeric_tolerance_is_exact_at_its_edge():
    instance = drawn("numeric.drawn")
    assert mark(instance, f"{instance.value + 0.0009:.6f}").right
    assert not mark(instance, f"{instance.value + 0.0011:.6f}").right


def test_estimate():
    instance = drawn("estimate.legs")
    assert mark(instance, "20").right
    assert mark(instance, "80 legs").right
    assert mark(instance, "1e2").message == "it is too large by a factor of 2.5"
    assert mark(instance, "4").message == "it is too small by a factor of 10"


def test_order():
    instance = drawn("order.day")
    swapped = mark(instance, typed(instance, "morning", "afternoon", "noon", "evening"))
    assert swapped.score == 0.75
    assert swapped.message == "the first 1 are right; look at number 2"
    extra = mark(instance, typed(instance, "morning", "noon", "Tuesday", "afternoon", "evening"))
    assert extra.score == 0.8
    assert extra.message == "a day of the week is no part of a day"
    short = mark(instance, typed(instance, "morning", "noon"))
    assert (short.score, short.message) == (0.5, "a block is missing at the end")
    backwards = mark(instance, typed(instance, "evening", "afternoon", "noon", "morning"))
    assert backwards.score == 0.25


def test_an_order_is_never_shown_solved():
    for seed in range(200):
        shown = [block.text for block in drawn("order.day", seed).blocks if block.text != "Tuesday"]
        assert shown != ["morning", "noon", "afternoon", "evening"]


def test_match():
    instance = drawn("match.words")
    assert mark(instance, typed(instance, "cold", "slow", "low")).score == pytest.approx(1 / 3)
    assert mark(instance, typed(instance, "cold", "cold", "cold")).score == pytest.approx(1 / 3)
    letters = typed(instance, "low", "cold", "slow").split()
    assert mark(instance, f"2{letters[0]} 1-{letters[1]}, 3: {letters[2]}").right


def test_predict_is_marked_by_running_it():
    instance = drawn("predict.loop")
    assert mark(instance, "0 0.333\n1  0.25\n").right
    assert mark(instance, "0, 0.3333 1, 0.25").right
    assert not mark(instance, "0 0.33\n1 0.25").right
    slip = mark(instance, "1 0.25\n2 0.2")
    assert slip.message == "A range begins with zero, not with one."
    assert slip.misconceptions == ("kinds.slip",)


@pytest.mark.parametrize(
    ("expected", "answer", "same"),
    [
        ("3\n", "3", True),
        ("3\n", "3.0", True),
        ("3\n", "3.0001", False),
        ("-12.0\n", "-11.98", False),
        ("-12.0\n", "-12", True),
        ("0.67\n", "0.667", False),
        ("0.666667\n", "0.667", True),
        ("0.666667\n", "0.67", False),
        ("1e-05\n", "0.00001", True),
        ("[0.5 0.25]\n", "[0.5, 0.25]", True),
        ("[1, 2]\n[3]\n", "[1,2] [3]", True),
        ("True False\n", "True\nFalse", True),
        ("True\n", "true", False),
        ("nan\n", "nan", True),
        ("a: 1\n", "a:1", True),
        ("a 1\n", "b 1", False),
        ("1 2\n", "1 2 3", False),
        ("−1\n", "-1", True),
    ],
)
def test_what_counts_as_the_same_output(expected, answer, same):
    assert same_output(expected, answer) is same


def test_bug():
    instance = drawn("bug.mean")
    fixes = {fix.id: LETTERS[place] for place, fix in enumerate(instance.options)}
    for text in (f"3 {fixes['a']}", f"line 3, fix {fixes['a']}", f"3;{fixes['a'].upper()}"):
        assert mark(instance, text).right
    elsewhere = mark(instance, f"2 {fixes['a']}")
    assert elsewhere.score == 0.5
    assert elsewhere.message == "the fault is not in exactly these lines"
    wide = mark(instance, f"2-3 {fixes['a']}")
    assert wide.score == 0.75
    wrong = mark(instance, f"3 {fixes['c']}")
    assert (wrong.score, wrong.misconceptions) == (0.5, ("kinds.other",))
    assert wrong.message == "The largest of them is not the mean of all."


def test_claim():
    instance = drawn("claim.even")
    assert mark(instance, "false").score == 0.0
    assert mark(instance, "True").score == 0.0
    verdict = mark(instance, "if")
    assert (verdict.score, verdict.right) == (0.5, False)
    wrong = mark(instance, "only if " + typed(instance, "both are positive"))
    assert (wrong.score, wrong.misconceptions) == (0.5, ("kinds.slip",))
    assert mark(instance, "true only if " + typed(instance, "one of them is even")).right
    assert "both are positive" not in presenting.question(instance)


@pytest.mark.parametrize(
    "answer",
    [
        "(x+y)^2",
        "x² + y² + 2*x·y",
        "x*x - -2*y*x + y**2",
        "(x + y) * (y + x)",
        "exp(2*ln(abs(x+y)))",
    ],
)
def test_an_expression_is_right_in_any_form(answer):
    assert mark_blank(drawn("derive.square"), 0, answer).right


@pytest.mark.parametrize(
    "answer", ["x**2 + y**2", "x^2+2*x*y+y^2+0.0001", "1.0005*(x+y)^2", "0", "log(x)", "1/0"]
)
def test_an_expression_that_differs_is_wrong(answer):
    marked = mark_blank(drawn("derive.square"), 0, answer)
    assert not marked.right
    assert "your expression is" in marked.message


def test_derive_marks_each_step():
    instance = drawn("derive.square")
    minus, plus = (
        LETTERS[[option.id for option in instance.blanks[1].options].index(name)] for name in "ab"
    )
    assert mark(instance, f"(x+y)**2; {minus}").right
    half = mark(instance, f"x**2 + y**2\n{minus}")
    assert (half.score, [part.right for part in half.parts]) == (0.5, [False, True])
    other = mark(instance, f"(x+y)**2; {plus}")
    assert other.misconceptions == ("kinds.slip",)
    assert other.message == "step 2: Only both together would turn the sign."


def test_open_is_marked_by_its_rubric():
    instance = drawn("open.sum")
    item = instance.item
    assert mark(instance, "a b").score == 0.75
    assert mark(instance, "a b").right
    assert mark_open(item, ["heap", "float"]).message.startswith("a good answer must say: names")
    assert not mark_open(item, ["law"]).right
    flagged = mark_open(item, ["law", "heap", "float"], [0])
    assert (flagged.score, flagged.right) == (1.0, False)
    assert "3 - 2 is not 2 - 3" in flagged.message
    assert mark(instance, "").score == 0.0
    with pytest.raises(AnswerError, match="no point 'law2'"):
        mark_open(item, ["law2"])


def test_a_case_is_its_questions():
    instance = drawn("case.shop")
    assert mark(instance, ["true", "40"]).right
    half = mark(instance, ["true", "400"])
    assert (half.score, [part.right for part in half.parts]) == (0.5, [True, False])


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("single.sum", "", "one letter from a to c"),
        ("single.sum", "d", "one letter from a to c"),
        ("single.sum", "ab", "one letter from a to c"),
        ("single.sum", "0", "one letter from a to c"),
        ("single.sum", "²", "one letter from a to c"),
        ("multi.primes", "", "letters from a to e"),
        ("multi.primes", "a a", "twice"),
        ("multi.primes", "a 7", "letters from a to e"),
        ("numeric.sum", "", "no arithmetic"),
        ("numeric.sum", "much", "not known"),
        ("numeric.sum", "1,5", "with a point"),
        ("numeric.sum", "1/0", "not a finite number"),
        ("numeric.sum", "9**9**9", "not a finite number"),
        ("numeric.sum", "__import__('os').system('true')", "may stand here|function"),
        ("numeric.sum", "nats", "not known"),
        ("numeric.sum", "True", "not a number"),
        ("estimate.legs", "-3", "positive"),
        ("order.day", "a b z", "letters from a to e"),
        ("order.day", "a a b", "twice"),
        ("order.day", "a", "all blocks that belong"),
        ("match.words", "a b", "3 letters"),
        ("match.words", "1a 2b", "pair each number from 1 to 3"),
        ("match.words", "1a 1b 2c", "pair each number"),
        ("match.words", "1a 2b 3z", "from a to d"),
        ("predict.loop", "  \n", "line by line"),
        ("bug.mean", "3", "letter of a fix"),
        ("bug.mean", "b", "faulty lines"),
        ("bug.mean", "9 a", "lines 1 to 3"),
        ("bug.mean", "0 a", "lines 1 to 3"),
        ("bug.mean", "1-99999999 a", "lines 1 to 3"),
        ("bug.mean", "3 z", "from a to c"),
        ("claim.even", "maybe", "true, false"),
        ("claim.even", "if z", "from a to b"),
        ("derive.square", "x", "2 answers"),
        ("derive.square", "x + z; a", "'z' is not known"),
        ("derive.square", "2x; a", "no arithmetic"),
        ("open.sum", "a z", "from a to c"),
        ("case.shop", "true", "2 answers"),
    ],
)
def test_what_cannot_be_read_is_told_and_costs_nothing(name, answer, said):
    with pytest.raises(AnswerError, match=said):
        mark(drawn(name), answer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3/4", 0.75),
        ("2^10", 1024),
        ("−0.5", -0.5),
        ("1.5e3", 1500),
        ("exp(-1)", math.exp(-1)),
        ("10²", 100),
        ("10¹²", 1e12),
        ("min(3, 2)", 2),
        ("2*π", 2 * math.pi),
        ("1_000", 1000),
        ("√(9)", 3),
        ("ln(exp(2))", 2),
    ],
)
def test_arithmetic(text, expected):
    assert number(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "(lambda: 1)()",
        "[1][0]",
        "().__class__",
        "'a' * 3",
        "1 if 1 else 2",
        "1 < 2",
        "exp",
        "exp(1, 2)",
        "exp(x=1)",
        "max(1)",
        "1; 2",
        "1\n2",
        "1" * 500,
        "(" * 200 + "1" + ")" * 200,
        "-" * 300 + "1",
        "1j",
        "1 // 2",
        "1 % 2",
        "1 << 60",
        "~1",
        "not 1",
        "...",
        "None",
        "f'{1}'",
        "\x00",
        "",
    ],
)
def test_nothing_but_arithmetic_is_read(text):
    with pytest.raises(ArithmeticProblem):
        parse(text)


@pytest.mark.parametrize("text", ["9**9**9**9", "9**9**9**99", "exp(exp(exp(9)))", "2**99999999"])
def test_arithmetic_cannot_be_made_slow(text):
    start = time.monotonic()
    assert not math.isfinite(value(parse(text), {}))
    assert time.monotonic() - start < 0.1


def test_greek_names_are_names():
    for name in ("λ", "\u00b5", "\u03bc", "β", "Â"):
        assert value(parse(f"2*{name}", {name}), {name: 3.0}) == 6


def test_python_warns_nobody_of_what_is_refused():
    with pytest.raises(ArithmeticProblem):
        parse("1or 2")


def test_arithmetic_has_no_value_where_it_has_none():
    for text in ("1/0", "log(0)", "sqrt(-1)", "(-8)**0.5", "0**-1"):
        assert math.isnan(value(parse(text), {})), text


def test_snippets_are_run_apart_and_in_time():
    ran = run_snippets(
        [
            Snippet("x = 1\nprint(x)"),
            Snippet("print('x' in globals())", "assert False, 'so it is'"),
            Snippet("1/0"),
            Snippet("while True: pass", seconds=0.5),
            Snippet("import os; os._exit(3)"),
            Snippet("import sys; sys.exit(2)"),
            Snippet("import numpy as np; print(np.arange(3))"),
            Snippet("import sys; print('noise', file=sys.stderr)"),
            Snippet("import sys; print([p for p in sys.path if 'quiz' in p])"),
        ]
    )
    assert [one.stage for one in ran] == ["", "test", "code", "time", "died", "code", "", "", ""]
    assert [one.output for one in ran[:2]] == ["1\n", "False\n"]
    assert ran[1].error == "AssertionError: so it is"
    assert ran[2].kind == "ZeroDivisionError"
    assert ran[6].output == "[0 1 2]\n"
    assert ran[7].output == ""
    assert ran[8].output == "[]\n"


def test_a_snippet_that_fails_is_our_fault():
    with pytest.raises(GraderError, match="ZeroDivisionError"):
        printed("1/0")


@pytest.mark.parametrize(
    ("lines", "text", "expected"),
    [
        ([2], "c", "a\n    c\nd\n"),
        ([2], "c\ne", "a\n    c\n    e\nd\n"),
        ([2], "c\n  e", "a\n    c\n      e\nd\n"),
        ([2], "  c", "a\n  c\nd\n"),
        ([2], "", "a\nd\n"),
        ([1, 2], "c\n", "c\nd\n"),
        ([3, 1], "x\ny", "x\n    b\ny\n"),
    ],
)
def test_a_fix_takes_the_place_of_its_lines(lines, text, expected):
    assert patched("a\n    b\nd\n", lines, text) == expected


def test_a_fix_for_lines_apart_has_a_line_for_each():
    with pytest.raises(PatchError, match="1 lines for the 2 buggy lines"):
        patched("a\nb\nc\n", [1, 3], "x")


@pytest.mark.parametrize("entry", BANK.entries(), ids=lambda entry: entry.item.id)
def test_a_question_never_shows_its_reasons(entry):
    instance = draw(entry.item, 1, BANK.functions)
    shown, solved = presenting.question(instance), presenting.solution(instance)
    assert entry.item.explain.strip()[:30].split("$")[0] in solved
    for reason in [*instance.options, *(wrong for _, wrong in instance.wrong)]:
        assert reason.why not in shown
    assert "✓" not in shown
    assert presenting.how_to_answer(entry.item)

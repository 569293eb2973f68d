"""A quiz file is read strictly, and every fault is told with its file, line and remedy."""

import subprocess
import sys
from pathlib import Path

import pytest

from rlgrade.outcome import UsageError
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.problems import BankError
from rlgrade.quiz.scalars import YamlError, parse_yaml

QUIZZES = Path(__file__).with_name("quizzes")
GOOD = (QUIZZES / "kinds.yaml").read_text(encoding="utf-8")
EXERCISES = ["ex01_sums", "ex02_products"]


def bank_of(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Bank(folder, EXERCISES)


def problems_of(bank):
    with pytest.raises(BankError) as found:
        bank.load_all()
    return found.value.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        (".5", 0.5),
        ("1.", 1.0),
        ("-12", -12),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-01", "2026-11-01"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'1'", "1"),
        ('"null"', "null"),
        ("-.inf", float("-inf")),
        ("1e", "1e"),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text, value):
    found = parse_yaml(f"key: {text}").data["key"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("b: 2\na: &x [1]\nc: *x\n", 2, "alias"),
        ("b: 2\na: &x one\nc: *x\n", 2, "alias"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tag"),
        ("a: 1\nb: !!set {x}\n", 2, "tag"),
        ("[a]: 1\n", 1, "key"),
        ("a: one: two\n", 1, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML"),
        ("a: [1\n", 2, "not YAML"),
        ("", 1, "empty"),
        ("a: \x01", 1, "not YAML"),
    ],
)
def test_what_quiz_files_do_not_use_is_refused_with_its_line(text, line, said):
    with pytest.raises(YamlError, match=said) as found:
        parse_yaml(text)
    assert found.value.line == line


def test_the_good_bank_loads_and_finds_its_items(tmp_path):
    bank = bank_of(tmp_path, kinds=GOOD)
    assert [len(loaded.quiz.items) for loaded in bank.load_all()] == [13]
    assert bank.find("kinds.single.sum").exercise == "ex01_sums"
    inner = bank.find("kinds.case.shop.legs")
    assert inner.case is not None
    assert inner.case.id == "kinds.case.shop"
    assert len(bank.entries()) == 13
    assert len(bank.entries(inner=True)) == 15
    with pytest.raises(UsageError, match=r"did you mean kinds\.single\.sum"):
        bank.find("kinds.singel.sum")
    with pytest.raises(UsageError, match="did you mean kinds"):
        bank.topic("kind")


def test_one_item_is_found_without_reading_the_other_files(tmp_path):
    bank = bank_of(tmp_path, kinds=GOOD, broken="schema: none\n")
    assert bank.find("kinds.single.sum").item.id == "kinds.single.sum"
    with pytest.raises(BankError, match=r"broken\.yaml:1"):
        bank.load_all()


FAULTS = [
    (
        'stem: "Two numbers',
        'stam: "Two numbers',
        "stam:",
        "unknown field 'stam'; did you mean 'stem'",
    ),
    ("    seconds: 20\n", "", "- id: kinds.single.sum", "'seconds' is missing"),
    ("difficulty: 1", 'difficulty: "1"', 'difficulty: "1"', "stand without quotes"),
    ("difficulty: 1", "difficulty: 9", "difficulty: 9", "9 is none of 1, 2, 3, 4, 5"),
    ("bloom: apply\n", "bloom: applied\n", "bloom: applied", "'applied' is none of remember"),
    ("kind: single", "kind: singel", "kind: singel", "'singel' is none of single, multi"),
    ('sources: ["arithmetic"]', "sources: [5]", "sources: [5]", "double quotes"),
    ("seconds: 20", "seconds: soon", "seconds: soon", "Expected `int`"),
    ("correct: true}", "correct: yes}", "id: b", "Expected `bool`"),
    ("rlgrade.quiz/1", "rlgrade.quiz/7", "rlgrade.quiz/7", "none of rlgrade.quiz/1"),
    ("id: kinds\n", "id: sorts\n", "id: sorts", "call it 'kinds'"),
    ("ex01_sums", "ex01_sum", "exercise: ex01_sum", "did you mean ex01_sums"),
    ("objective: kinds.all", "objective: kinds.al", "objective: kinds.al", "not declared"),
    (
        "misconception: kinds.slip",
        "misconception: kinds.slap",
        "- id: kinds.single.sum",
        "did you mean",
    ),
    ("kinds.multi.primes", "kinds.single.sum", "- id: kinds.single.sum", "twice"),
    ("- id: kinds.single.sum", "- id: Single", "- id: Single", "topic.sub.name"),
    ('exactly this.", correct: true', 'exactly this."', "options:", "exactly 1 must be"),
    ('{id: c, text: "six"', '{id: b, text: "six"', '{id: b, text: "five"', "twice"),
    ('      - {id: c, text: "six"', '      # - {id: c, text: "six"', "options:", "needs 3 to 5"),
    (
        "${first} + ${second}",
        "${first} + ${third}",
        "${third}",
        "no drawn parameter; there are first",
    ),
    ("Two numbers are", "${x} numbers are", "${x} numbers", "there are none"),
    (
        "first: $first, second: $second}}\n    wrong",
        "first: $frst, second: 1}}\n    wrong",
        "$frst",
        "no drawn parameter",
    ),
    ("{int: [2, 9]}", "{int: [2, 9], choice: [1]}", "second: {int", "exactly one of"),
    ("{int: [2, 9]}", "{int: [9, 2]}", "second: {int", "the larger"),
    ("abs: 0.001\n    rel: 0", "abs: 0\n    rel: 0", "abs: 0\n", "one of them is positive"),
    ('"noon"', '"morning"', "blocks:", "same text"),
    ('right: "low"', 'right: "cold"', "pairs:", "twice on one side"),
    ("buggy_lines: [3]", "buggy_lines: [4]", "buggy_lines: [4]", "lines 1 to 3"),
    (
        "buggy_lines: [3]",
        "buggy_lines: [1, 3]",
        'id: a, text: "return total / len',
        "2 buggy lines",
    ),
    ("verdict: conditional", 'verdict: "true"', "conditions:", "no condition is correct"),
    ("factor: 2\n", "factor: 1\n", "factor: 1\n", "more than 1"),
    ("x**2 + 2*x*y", "x**2 + 2*x*z", "the square in x and y", "'z' is not known"),
    ('when: "missing:law"', 'when: "missing:low"', "missing:low", "missing:ID"),
    (
        '    sources: ["arithmetic"]\n',
        '    sources: ["arithmetic"]\n    as_of: "last year"\n',
        "as_of",
        "write 2026-11",
    ),
]


@pytest.mark.parametrize(("old", "new", "at", "said"), FAULTS, ids=[f[3] for f in FAULTS])
def test_every_fault_has_a_file_a_line_and_a_remedy(tmp_path, old, new, at, said):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    problems = problems_of(bank_of(tmp_path, kinds=text))
    assert said in problems[0].message
    assert problems[0].file.endswith("/kinds.yaml")
    lines = [n for n, line in enumerate(text.splitlines(keepends=True), 1) if at in line]
    assert problems[0].line in lines


def test_a_file_has_one_problem_for_each_broken_item(tmp_path):
    text = GOOD.replace("difficulty: 1", "difficulty: 9").replace("title:", "titel:", 1)
    problems = problems_of(bank_of(tmp_path, kinds=text))
    assert [problem.item for problem in problems] == [
        "",
        "kinds.single.sum",
        "kinds.order.day",
        "kinds.match.words",
        "kinds.open.sum",
        "kinds.case.shop",
    ]
    assert "did you mean 'title'" in problems[0].message


def test_an_id_of_two_files_is_told(tmp_path):
    other = GOOD.replace("id: kinds\n", "id: other\n", 1)
    problems = problems_of(bank_of(tmp_path, kinds=GOOD, other=other))
    assert len(problems) == 15
    assert "kinds.yaml has an item of this id" in problems[0].message
    assert problems[0].file.endswith("/other.yaml")


def test_a_file_that_is_not_utf_8_is_told(tmp_path):
    bank = bank_of(tmp_path, kinds=GOOD)
    (tmp_path / "kinds.yaml").write_bytes(b"\xff\xfe")
    assert "UTF-8" in problems_of(bank)[0].message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sums", "module.function"),
        ("sums.none", "has no function 'none'"),
        ("sums._hidden", "module.function"),
        ("nothing.total", "looked up in that folder"),
        ("../sums.total", "module.function"),
        ("sums.raises", r"raises\(\) raised ValueError: not today"),
    ],
)
def test_a_call_that_fails_says_what_to_do(name, said):
    with pytest.raises(UsageError, match=said):
        Bank(QUIZZES, EXERCISES).functions.call(name, {})


def test_functions_may_import_their_neighbours(tmp_path):
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "one.py").write_text("def f():\n    return 1\n")
    (folder / "two.py").write_text("from .one import f\n\n\ndef g():\n    return f() + 1\n")
    assert Bank(tmp_path, []).functions.call("two.g", {}) == 2


def test_reading_the_bank_imports_neither_numpy_nor_torch():
    script = (
        "import sys; from pathlib import Path; from rlgrade.quiz.bank import Bank;"
        f"Bank(Path({str(QUIZZES)!r}), {EXERCISES!r}).load_all();"
        "sys.exit(bool({'numpy', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

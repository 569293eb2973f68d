"""Sessions of questions: in a real terminal, through a pipe, as JSON; nothing is ever lost."""

import json
import os
import re
import subprocess
import sys

import pytest
from quiz_course import Candidate, make_course, make_workspace
from test_cli import RLGRADE, rlgrade
from test_store import without_rights

from rlgrade.plain import fitted
from rlgrade.quiz import presenting
from rlgrade.quiz.bank import Bank
from rlgrade.quiz.drawing import draw
from rlgrade.quiz.talk import wrapped


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("quiz") / "course")


@pytest.fixture
def workspace(course, tmp_path):
    return make_workspace(course, tmp_path / "work")


@pytest.fixture
def sits_down(course, workspace):
    candidates = []

    def start(*arguments, **environment):
        candidates.append(Candidate(course, workspace, *arguments, **environment))
        return candidates[-1]

    yield start
    for candidate in candidates:
        candidate.child.close(force=True)


def notebook(workspace):
    return json.loads((workspace / ".rlgrade" / "quiz.json").read_text())


def piped(course, workspace, lines, *arguments, **environment):
    return subprocess.run(
        [RLGRADE, "--course", str(course), "quiz", *arguments],
        input="".join(f"{line}\n" for line in lines),
        cwd=workspace,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | environment,
    )


def key_of(course, name, seed):
    bank = Bank(course / "quizzes", ["ex01_scale"])
    return presenting.key(draw(bank.find(f"kinds.{name}").item, seed, bank.functions))


def test_a_wrong_answer_a_second_try_every_reason_and_the_exercise(sits_down, workspace):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "single", "--seed", "3")
    learner.sees("1 question", "kinds.single.sum", "Which number is their sum?")
    learner.answers("answer (one letter): ", "z")
    learner.sees("type one letter from a to c")
    learner.answers("answer (one letter): ", "b" if key_of_single(learner) != "b" else "c")
    learner.sees("not right: That would be", "Once more")
    learner.answers("answer (one letter): ", key_of_single(learner))
    learner.sees("right", "That would be two and two", "Two and three more are five, counted")
    learner.sees("sources: arithmetic", "it comes again tomorrow")
    learner.sees("practise it: rlgrade check ex01  (ex01_scale)", "0 of 1 right at the first try")
    assert learner.has_left() == 0
    card = notebook(workspace)["cards"]["kinds.single.sum"]
    assert (card["answered"], card["first_right"], card["topic"]) == (1, 0, "kinds")


def key_of_single(learner):
    """The letter of `five`, as it is on this screen."""
    line = next(row for row in learner.said.splitlines() if row.strip().endswith(") five"))
    return line.strip()[0]


def test_a_case_a_derivation_and_an_open_question_from_start_to_end(sits_down, workspace):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "case,derive,open", "--seed", "1")
    learner.sees("3 questions", "Why does the order of addition not matter?")
    learner.sees("Enter shows the answer")
    learner.types("It commutes.")
    learner.types("Really.")
    learner.types("")
    learner.sees("In a minute:", "names the law a + b = b + a (must)")
    learner.answers("which of these did you say? (letters; Enter for none): ", "1 2")
    learner.sees("says the same of subtraction")
    learner.answers("which of these did you say? (letters; Enter for none): ", "")
    learner.sees("75 % of it")
    learner.answers("Enter goes on, l shows the long answer: ", "l")
    learner.sees("many ones first and the large number", "sources: arithmetic")
    learner.answers("Enter for the next", "")
    learner.sees("A shop sells pens", "(1 of 2 about this case)")
    learner.answers("under a condition left out): ", "t")
    learner.sees("right", "(2 of 2 about this case)")
    learner.answers("right within a factor of 2): ", "41")
    learner.sees("right", "Both questions use the price list")
    learner.answers("Enter for the next", "")
    learner.sees("step 1 of 2")
    learner.answers("exp(-x) * (1 - y)): ", "x**2 + y**2")
    learner.sees("not right: at x = ", "Once more")
    learner.answers("exp(-x) * (1 - y)): ", "(x+y)^2")
    learner.sees("right", "twice the mixed term is in it", "step 2 of 2")
    learner.answers("answer (one letter): ", "-")
    learner.sees("minus", "one factor is negative")
    learner.sees("2 of 3 right at the first try")
    assert learner.has_left() == 0
    cards = notebook(workspace)["cards"]
    rights = {name.split(".")[1]: card["first_right"] for name, card in cards.items()}
    assert rights == {"open": 1, "case": 1, "derive": 0}


def test_order_match_multi_bug_and_claim_take_numbers_and_letters(sits_down, course):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "order,match,bug,claim", "--seed", "2")
    answers = {name: key_of(course, name, 2) for name in
               ("order.day", "match.words", "bug.mean", "claim.even")}  # fmt: skip
    for _ in range(4):
        how = [re.escape(f"answer ({presenting.HOW[k]}): ") for k in ("order", "match", "claim")]
        which = learner.child.expect([*how[:2], "faulty lines.*: ", how[2]])
        key = list(answers.values())[which].split()
        if which == 0:
            learner.types(" ".join(str("abcdefgh".index(sign) + 1) for sign in key))
        elif which == 1:
            learner.types(" ".join(f"{sign}{n}" for n, sign in enumerate(key, 1)))
        elif which == 2:
            learner.types("line 3")
            learner.answers("fix (one letter): ", key[1])
        else:
            learner.types("if")
            learner.sees("True only if:", "one of them is even")
            learner.answers("which condition (one letter): ", key[1])
        learner.sees("✓ right", "sources:")
        learner.child.expect(["Enter for the next", "Enter ends"])
        learner.types("")
    assert learner.has_left() == 0


def test_hint_doubt_confidence_and_leaving_lose_nothing(sits_down, workspace, course):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "numeric", "--seed", "5", "--confidence")
    learner.sees("2 questions")
    prompt = "arithmetic such as `3/8`"
    learner.answers(prompt, "!the list looks odd")
    learner.sees("noted")
    learner.answers(prompt, "?")
    learner.child.expect(["hint: Begin with", "this question has no hint"])
    learner.answers(prompt, "1e9")
    learner.answers("how sure were you? s sure, u unsure, g guess: ", "g")
    learner.sees("not right", "Once more")
    learner.answers(prompt, "-")
    learner.answers("Enter for the next: ", "q")
    learner.sees("0 of 1 right at the first try")
    assert learner.has_left() == 0
    kept = notebook(workspace)
    assert len(kept["cards"]) == 1
    assert kept["confidence"] == {"guess": {"answers": 1, "right": 0}}
    ((item, flags),) = kept["flags"].items()
    assert flags[0]["note"] == "the list looks odd"
    done = rlgrade("quiz", "stats", cwd=workspace, course=course)
    assert f"{item} (rev 1, " in done.stdout
    assert "guess: 0 of 1 right, 0 %; should be chance" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
def test_a_doubt_that_cannot_be_kept_is_not_called_noted(workspace, course):
    def asks(*arguments, lines=""):
        return subprocess.run(
            [RLGRADE, "--course", str(course), "quiz", *arguments],
            input=lines,
            cwd=workspace,
            capture_output=True,
            text=True,
            preexec_fn=without_rights,
        )

    item = "kinds.numeric.sum"
    assert asks("flag", item, "odd").stdout == f"noted: {item}\n"
    (workspace / ".rlgrade" / "quiz.json").unlink()
    (workspace / ".rlgrade").chmod(0o555)
    try:
        flagged = asks("flag", item, "odd")
        session = asks("run", "kinds", "--kinds", "numeric", lines="!odd\nq\n")
    finally:
        (workspace / ".rlgrade").chmod(0o755)
    assert flagged.returncode == 2
    assert "noted" not in flagged.stdout
    assert f"the note on {item} is not kept" in flagged.stderr
    assert "noted" not in session.stdout
    assert "the note could not be kept" in session.stdout


@pytest.mark.parametrize("way", ["eof", "escape", "interrupt"])
def test_ctrl_d_and_esc_and_ctrl_c_leave_a_clean_screen_and_the_answers(sits_down, workspace, way):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "single,claim", "--seed", "3")
    learner.answers("): ", "-")
    learner.sees("Enter for the next: ")
    end = "0 of 1 right at the first try"
    if way == "interrupt":
        learner.interrupts(end)
    else:
        learner.child.send("\x04" if way == "eof" else "half a word\x1b\r")
        learner.sees(end)
    assert learner.has_left() == (130 if way == "interrupt" else 0)
    assert "Traceback" not in learner.said
    assert len(notebook(workspace)["cards"]) == 1


def test_piped_answers_in_ascii_without_a_workspace(course, tmp_path):
    key = key_of(course, "predict.loop", 4)
    lines = [*key.splitlines(), ""]
    arguments = ("run", "kinds", "--kinds", "predict", "--seed", "4")
    done = piped(course, tmp_path, lines, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "[ok] right" in done.stdout
    assert "1 of 1 right at the first try" in done.stdout
    assert done.stdout.isascii()
    assert not (tmp_path / ".rlgrade").exists()


def test_what_is_due_comes_first_and_review_asks_nothing_else(course, workspace):
    assert "no such question" in piped(course, workspace, [], "review").stdout
    piped(course, workspace, ["-"], "run", "kinds", "--kinds", "single")
    make_due(workspace, "kinds.single.sum")
    done = rlgrade("progress", cwd=workspace, course=course)
    assert "quiz: 1 card due; rlgrade quiz review" in done.stdout
    done = piped(course, workspace, [], "review")
    assert "1 question." in done.stdout
    assert "kinds.single.sum" in done.stdout
    done = piped(course, workspace, [])
    assert "10 questions." in done.stdout
    assert done.stdout.index("kinds.single.sum") < 300


def make_due(workspace, item):
    path = workspace / ".rlgrade" / "quiz.json"
    table = json.loads(path.read_text())
    table["cards"][item]["due"] = "2020-01-01T00:00:00Z"
    table["cards"][item]["last"] = "2019-12-01T00:00:00Z"
    path.write_text(json.dumps(table))


def test_cram_asks_again_until_it_is_right_and_leaves_the_schedule(course, workspace):
    piped(course, workspace, ["-"], "run", "kinds", "--kinds", "single", "--seed", "3")
    before = notebook(workspace)["cards"]["kinds.single.sum"]
    key = key_of(course, "single.sum", 3)
    done = piped(course, workspace, ["-", key], "cram", "kinds", "--kinds", "single", "--seed", "3")
    assert done.stdout.count("── kinds.single.sum") == 2
    assert "1 of 2 right" in done.stdout
    after = notebook(workspace)["cards"]["kinds.single.sum"]
    assert (after["due"], after["answered"]) == (before["due"], before["answered"])


def test_numbers_differ_from_review_to_review_and_agree_with_a_seed(course, workspace):
    arguments = ("run", "kinds", "--kinds", "numeric", "--n", "1")
    one, other = (piped(course, workspace, ["-"], *arguments, "--seed", "9") for _ in range(2))
    assert one.stdout.split("it comes")[0] == other.stdout.split("it comes")[0]
    asked = set()
    for _ in range(4):
        line = piped(course, workspace, ["-"], "cram", "kinds", "--kinds", "numeric").stdout
        asked |= {row for row in line.splitlines() if row.startswith(("What is", "The list is"))}
    assert len(asked) >= 4


def test_json_lines_ask_refuse_hint_and_judge(course, workspace):
    key = key_of(course, "numeric.sum", 5)
    lines = [
        '{"hint": true}',
        "nonsense",
        '{"answer": "1e9", "confidence": "sure"}',
        f'{{"answer": "{key.split()[0]}"}}',
        '{"got": ["law", "heap"], "red_flags": []}',
    ]
    arguments = ("run", "kinds", "--kinds", "numeric,open", "--seed", "5", "--json")
    done = piped(course, workspace, order_for(course, workspace, lines), *arguments)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    seen = [event["event"] for event in events]
    assert seen[-1] == "end"
    assert "unreadable" in seen
    verdicts = {}
    for event in events:
        if event["event"] == "verdict":
            verdicts.setdefault(event["id"], []).append(event)
    first, second = verdicts["kinds.numeric.sum"]
    assert (first["right"], first["final"]) == (False, False)
    assert "key" not in first
    assert (second["right"], second["final"]) == (True, True)
    assert second["exercise"] == "ex01_scale"
    assert verdicts["kinds.open.sum"][0]["score"] == 0.75
    assert notebook(workspace)["confidence"] == {"sure": {"answers": 1, "right": 0}}


def order_for(course, workspace, lines):
    """The lines in the order in which the questions come, which the seed decides."""
    asked = piped(
        course,
        workspace,
        ['{"reveal": true}'] * 3,
        *("run", "kinds", "--kinds", "numeric,open", "--seed", "5", "--json"),
    )
    (workspace / ".rlgrade" / "quiz.json").unlink()
    answers = {
        "kinds.numeric.sum": lines[:4],
        "kinds.open.sum": lines[4:],
        "kinds.numeric.drawn": ['{"reveal": true}'],
    }
    events = [json.loads(line) for line in asked.stdout.splitlines()]
    names = [event["id"] for event in events if event["event"] == "question"]
    return [line for name in names for line in answers[name]]


def test_it_needs_no_torch(course, tmp_path):
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        f"sys.argv = ['rlgrade', '--course', {str(course)!r}, 'quiz', 'run', 'kinds',"
        " '--kinds', 'single,claim,bug', '--n', '3']\n"
        "from rlgrade.front import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="-\n-\n-\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "of 3 right" in done.stdout


def test_what_cannot_be_is_said_in_one_sentence(course, workspace):
    for arguments, sentence in [
        (("run", "kind"), ""),
        (("run", "nothing"), "there is no quiz 'nothing'"),
        (("run", "kinds", "--kinds", "singel"), "did you mean single?"),
        (("run", "kinds", "--by", "soon"), "write it like 2026-12-01"),
        (("run", "kinds", "--by", "2020-01-01"), "not a day to come"),
        (("--n", "3", "run", "kinds"), "put --n behind the command"),
        (("flag", "kinds.single.sun"), "did you mean kinds.single.sum?"),
    ]:
        done = piped(course, workspace, [], *arguments)
        assert done.returncode == (2 if sentence else 0), (arguments, done.stderr)
        assert sentence in done.stderr


def test_a_pass_offers_the_quiz_of_the_exercise(course, workspace):
    solution = course / "solutions" / "ex01_scale" / "scale.py"
    (workspace / "ex01_scale" / "scale.py").write_bytes(solution.read_bytes())
    done = rlgrade("check", "ex01", cwd=workspace, course=course)
    assert done.stdout.splitlines()[-1] == "quiz: rlgrade quiz run ex01"
    assert "10 questions." in piped(course, workspace, [], "run", "ex01").stdout


def test_long_lines_are_broken_and_code_is_not():
    text = f"a) {'word ' * 30}\n    {'x = 1; ' * 30}"
    lines = wrapped(text, 40).splitlines()
    assert all(len(line) <= 40 for line in lines[:-1])
    assert all(line.startswith("   ") for line in lines[1:])
    assert len(lines[-1]) > 200


def test_a_right_answer_may_be_called_easy(sits_down, course, workspace):
    learner = sits_down("quiz", "run", "kinds", "--kinds", "single", "--seed", "3")
    learner.answers("answer (one letter): ", key_of(course, "single.sum", 3))
    learner.sees("right", "it comes again in 2 days")
    learner.answers("Enter ends, e if it was easy: ", "e")
    learner.sees("it comes again in 8 days", "1 of 1 right")
    assert learner.has_left() == 0
    assert notebook(workspace)["cards"]["kinds.single.sum"]["answered"] == 1


def test_mathematics_keeps_its_meaning_in_ascii():
    text = "½x² + 10⁻⁴, ∇J ∝ r̂ ± ⅓ — ─"
    assert fitted(text, "ascii") == "1/2x^2 + 10^-4, grad J ~ r^ +- 1/3 - -"
    assert fitted("x²", "latin-1") == "x²"
    assert fitted(text, "utf-8") == text


def test_json_is_utf_8_on_any_terminal_and_survives_nonsense(course, workspace):
    lines = ["é", "[" * 100_000, "77", "null", '{"answer": 3}', '{"got": 1}', '{"hint": true}']
    arguments = ("run", "kinds", "--kinds", "order", "--seed", "1", "--json")
    done = piped(course, workspace, lines, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events == ["question", *["unreadable"] * 6, "hint", "end"]

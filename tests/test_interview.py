"""A mock interview in a real terminal: the plan, the clock, the follow-up, the report."""

import json

import pytest
from quiz_course import Candidate, make_course, make_workspace
from test_cli import rlgrade

from rlgrade.courses import find_course
from rlgrade.quiz import schema
from rlgrade.quiz.bank import Bank, find_bank
from rlgrade.quiz.interview.conduct import Asked, Clock, FollowedUp, next_follow_up
from rlgrade.quiz.interview.plan import LEVELS, STAGES, make_plan, stage_of
from rlgrade.quiz.interview.report import lost, points_by_dimension
from rlgrade.quiz.schedule import Answered

TICK = "which of these did you say? (letters; Enter for none): "


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("interview") / "course")


@pytest.fixture
def workspace(course, tmp_path):
    return make_workspace(course, tmp_path / "work")


@pytest.fixture
def sits_down(course, workspace):
    candidates = []

    def start(*arguments):
        candidates.append(Candidate(course, workspace, "interview", *arguments))
        return candidates[-1]

    yield start
    for candidate in candidates:
        candidate.child.close(force=True)


@pytest.fixture(scope="module")
def bank(course):
    return Bank(course / "quizzes", ["ex01_scale"])


@pytest.fixture(scope="module")
def real():
    return find_bank(find_course())


def test_from_the_first_question_to_the_report(sits_down, workspace):
    candidate = sits_down("--minutes", "5", "--level", "screen", "--seed", "3", "--report", "r.md")
    candidate.sees("questions in 5:00 minutes: warm-up, concept", "saved after every question")
    candidate.answers("Enter begins: ", "")
    candidate.sees("question 1 of 3  warm-up", "5:00 of 5:00 left", "Which number is their sum?")
    candidate.answers("answer (one letter): ", "-")
    candidate.sees("sources: arithmetic", "question 2 of 3  concept")
    candidate.sees("Why does the order of addition not matter?", "press Enter when you are done.")
    candidate.types("Two heaps, pushed together.")
    candidate.types("")
    candidate.sees("names the law a + b = b + a (must)")
    assert "Addition commutes" not in candidate.said  # the model answer comes after the follow-up
    candidate.answers(TICK, "b")
    candidate.sees("says the same of subtraction")
    candidate.answers(TICK, "a")
    candidate.sees("Follow-up: What is the law called?")
    candidate.answers("> ", "")
    candidate.sees("commutativity")
    candidate.answers(TICK, "a")
    candidate.sees("Follow-up: Does it hold for matrices?")
    candidate.answers("> ", "")
    candidate.answers(TICK, "")
    candidate.sees("In a minute one could have said:", "Addition commutes.")
    candidate.answers("Enter goes on, l shows the long answer: ", "")
    candidate.sees("question 3 of 3  derivation")
    candidate.answers("such as `c a d`): ", "-")
    candidate.sees("The interview is over. Your report: r.md")
    assert candidate.has_left() == 0
    report = (workspace / "r.md").read_text()
    for text in [
        "3 of 3 questions",
        "| correctness | 1 | 5 |",
        "| derivation | 0 | 1 |",
        "| trade-offs | not asked | 0 |",
        "Follow-ups: 1 of 2 expected points.",
        "- names the law a + b = b + a  (question 2, concept)",
        "- says the same of subtraction. 3 - 2 is not 2 - 3  (question 2)",
        "One item of every kind: 6 points missed. `rlgrade quiz run kinds`",
        "- `rlgrade check ex01` (ex01_scale)",
        "> Two heaps, pushed together.",
        "- ✓ pictures two heaps of pebbles pushed together  (correctness, 1)",
        "- ✗ names the law a + b = b + a  (correctness, 2, must)",
        "rlgrade interview --minutes 5 --level screen --seed 3",
    ]:
        assert text in report, text
    assert "broken off" not in report
    cards = json.loads((workspace / ".rlgrade" / "quiz.json").read_text())["cards"]
    assert set(cards) == {"kinds.single.sum", "kinds.open.sum", "kinds.order.day"}


@pytest.mark.parametrize("way", ["q", "eof", "interrupt"])
def test_broken_off_it_leaves_a_report_of_what_was_answered(sits_down, workspace, way):
    candidate = sits_down("--minutes", "5", "--level", "screen", "--seed", "3", "--report", "r.md")
    candidate.answers("Enter begins: ", "")
    candidate.answers("answer (one letter): ", "-")
    candidate.sees("question 2 of 3", "press Enter when you are done.")
    candidate.answers("> ", "half an answ")
    candidate.sees("… ")  # an interrupt takes along what was typed and not yet read
    end = "The interview is broken off. Your report: r.md"
    if way == "interrupt":
        candidate.interrupts(end)
    else:
        candidate.types("q") if way == "q" else candidate.child.sendeof()
        candidate.sees(end)
    assert candidate.has_left() == (130 if way == "interrupt" else 0)
    assert "Traceback" not in candidate.said
    report = (workspace / "r.md").read_text()
    assert "It was broken off" in report
    assert "1 of 3 questions" in report
    assert "## Not asked\n\n- concept: kinds.open.sum\n- derivation: kinds.order.day" in report


def test_left_before_the_first_answer_there_is_no_report(sits_down, workspace):
    candidate = sits_down("--level", "screen", "--report", "r.md")
    candidate.answers("Enter begins: ", "q")
    candidate.sees("there is no report")
    assert candidate.has_left() == 0
    assert not (workspace / "r.md").exists()


def test_an_impossible_report_is_said_before_the_first_question(course, workspace):
    arguments = ("interview", "--level", "screen", "--report", "nowhere/r.md")
    done = rlgrade(*arguments, cwd=workspace, course=course)
    assert done.returncode == 2
    assert "nowhere/r.md cannot be written" in done.stderr
    assert "question 1" not in done.stdout
    done = rlgrade("interview", "--topics", "poetry", cwd=workspace, course=course)
    assert done.returncode == 2
    assert "there is no quiz 'poetry'" in done.stderr


@pytest.mark.parametrize("minutes", [10, 20, 30, 60])
@pytest.mark.parametrize("level", ["screen", "mid", "senior", "research"])
def test_a_plan_keeps_the_time_the_level_and_the_order(real, minutes, level):
    plans = [make_plan(real, None, level, minutes, seed) for seed in range(8)]
    levels = ["screen", "mid", "senior", "research"]
    for plan in plans:
        assert 0 < plan.seconds <= 1.1 * 60 * minutes
        stages = [STAGES.index(question.stage) for question in plan.questions]
        assert stages == sorted(stages)
        ids = [question.entry.item.id for question in plan.questions]
        assert len(set(ids)) == len(ids)
        for question in plan.questions:
            assert levels.index(question.entry.item.level) <= levels.index(level)
    assert len({tuple(q.entry.item.id for q in plan.questions) for plan in plans}) >= 4


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_a_question_in_each_stage(real, level):
    plan = make_plan(real, None, level, 90, 0)
    assert plan.without == ()
    assert {question.stage for question in plan.questions} == set(STAGES)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_open_questions_of_its_own_on_design(real, level):
    """A candidate who is screened is not asked to design a cluster, nor is nothing asked."""
    items = [entry.item for entry in real.entries() if stage_of(entry.item) == "design"]
    assert sum(item.level == level and isinstance(item, schema.Open) for item in items) >= 2


def test_half_an_hour_for_a_senior_has_every_stage_with_open_questions(real):
    for seed in range(20):
        plan = make_plan(real, None, "senior", 30, seed)
        assert {question.stage for question in plan.questions} == set(STAGES)
        assert sum(hasattr(q.entry.item, "rubric") for q in plan.questions) >= 4
        assert plan == make_plan(real, None, "senior", 30, seed)


def test_the_first_missed_point_is_followed_up_then_something_else(bank):
    follow_ups = bank.find("kinds.open.sum").item.follow_ups
    law, matrices = follow_ups
    assert next_follow_up(follow_ups, [], first=True) is law
    assert next_follow_up([matrices], [], first=False) is matrices
    assert next_follow_up(follow_ups, ["law"], first=True) is matrices
    assert next_follow_up([law], ["law"], first=True) is None


def test_the_clock_stands_still_while_one_ticks():
    now = [0.0]
    clock = Clock(100.0, tick=lambda: now[0])
    clock.start()
    now[0] = 30.0
    assert clock.stop() == 30.0
    now[0] = 90.0
    assert clock.left == 70.0
    assert clock.stop() == 0.0


def test_points_are_ticks_and_nothing_else(bank):
    plan = make_plan(bank, None, "mid", 30, 1)
    by_id = {question.entry.item.id: question for question in plan.questions}
    asked = Asked(by_id["kinds.open.sum"], got=["law", "float"], flags=[0])
    asked.follow_ups = [FollowedUp("?", ["a", "b"], [0])]
    wrong = next(q for q in plan.questions if q.stage == "debugging")
    keyed = Asked(wrong, answered=Answered(right=False, score=0.9))
    points = points_by_dimension([asked, keyed])
    assert (points["correctness"].made, points["correctness"].of) == (3, 4)
    assert (points["diagnosis"].made, points["diagnosis"].of) == (0, 1)
    assert points["trade-offs"].of == 0
    assert (lost(asked), lost(keyed)) == (2, 1)

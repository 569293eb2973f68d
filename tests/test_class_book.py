"""The gradebook, the policy and the exports: decisions stay, exports read back."""

import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("jinja2")

from rlgrade.classroom import decisions
from rlgrade.classroom.collect import Collection, Found, Rejected
from rlgrade.classroom.export import (
    Choices,
    canvas,
    gradescope_files,
    jsonl,
    junit,
    moodle,
    nbgrader,
)
from rlgrade.classroom.feedback import Telling, feedback_files
from rlgrade.classroom.gradebook import Key, open_gradebook
from rlgrade.classroom.marks import standing
from rlgrade.classroom.names import Identity
from rlgrade.classroom.platforms import MAX_PRAIRIELEARN, github_classroom, prairielearn
from rlgrade.classroom.policy import Policy, read_policy
from rlgrade.classroom.roster import read_roster
from rlgrade.classroom.spreadsheet import guarded, read_csv, unguarded, write_csv
from rlgrade.classroom.telling import Reveal
from rlgrade.courses import Course
from rlgrade.outcome import UsageError

COURSE = Path(__file__).parent / "course"
EX = "ex01_scale"
DUE = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
NAMES = [
    'Smith, "Jane"',
    "O'Neil Zoë",
    "李小龙",
    "\u200fדוד לוי",
    '=HYPERLINK("http://x","y")',
    "+1 minus",
    "@SUM(A1)",
    "'quoted",
    "'=both",
    "line\nbreak",
    "عمر; خيام",
    "-x\ty",
]


def report(*points, outcome="fail", message="advantages[0] should be 1", exercise=EX):
    """A report in which each check gave so many of 2 points."""
    checks = [
        {
            "check": f"check_{n}",
            "promise": f"keeps promise {n}",
            "outcome": "pass" if got == 2 else outcome,
            "points": float(got),
            "max_points": 2.0,
            "seconds": 0.01,
            "examples": 3,
            "message": "" if got == 2 else message,
            "line": None if got == 2 else 8,
            "counterexample": {} if got == 2 else {"rewards": "[1, 1]"},
            "diagnosis": [] if got == 2 else ["the accumulator runs on"],
            "traceback": [],
            "printed": "",
        }
        for n, got in enumerate(points)
    ]
    return {
        "schema_version": 1,
        "exercise": exercise,
        "exercise_version": 1,
        "file": "scale.py",
        "submission_sha256": "0" * 64,
        "seed": 1,
        "engine_version": "1",
        "sandbox": "L3",
        "seconds": 0.5,
        "problem": "",
        "passed": all(got == 2 for got in points),
        "points": float(sum(points)),
        "max_points": 2.0 * len(points),
        "checks": checks,
    }


@pytest.fixture
def book(tmp_path):
    with open_gradebook(str(tmp_path / "results"), create=True) as gradebook:
        yield gradebook


def send(book, who, points, days=None, exercise=EX, broken="", version="v"):
    """One attempt with its result, so many days after the due date."""
    identity = who if isinstance(who, Identity) else Identity(who, who)
    moment = None if days is None else DUE + timedelta(days=days)
    data = f"{identity.key} {points} {days} {exercise}".encode()
    found = Found(identity, exercise, data, "path", moment)
    book.add_collection(Collection([found]))
    key = Key(found.sha256, exercise, version, "1", 1)
    book.begin_run([key], {})
    book.store(key, None if points is None else report(*points, exercise=exercise), broken, 0.1)
    return key


def mark(book, policy=None, who="ann", exercise=EX):
    return standing(book, policy or Policy()).marks[who, exercise]


def test_a_regrade_never_loses_what_people_decided(book):
    key = send(book, "ann", (2, 0))
    assert (mark(book).score, mark(book).override) == (2.0, None)
    decisions.override(book, "Ann", EX, 3.5, by="Dr. W", reason="oral defence")
    decisions.comment(book, "ann", EX, "see me", by="TA")
    book.store(key, report(2, 2), "", 0.1)  # the same key again
    send(book, "ann", (2, 2), version="w")  # another version of the course
    now = mark(book)
    assert (now.score, now.earned) == (3.5, 4.0)
    assert (now.override.who, now.override.text) == ("Dr. W", "oral defence")
    assert [(c.who, c.text) for c in now.comments] == [("TA", "see me")]
    assert now.comments[0].when.startswith(str(datetime.now(UTC).year))
    decisions.override(book, "ann", EX, None)
    assert mark(book).score == 4.0
    assert len(book.rows(book.table("overrides").select())) == 2  # history stays
    with pytest.raises(UsageError, match="nobody in the gradebook"):
        decisions.override(book, "anne", EX, 1)


def test_attempts_are_kept_and_the_policy_says_which_counts(book):
    for points in ((2, 0, 0), (0, 2, 2), (2, 2, 0), (0, 0, 2)):
        send(book, "ann", points)
    assert [a.number for a in mark(book).attempts] == [1, 2, 3, 4]
    assert (mark(book).score, mark(book).counted.number) == (4.0, 3)  # of equals, the last
    assert mark(book, Policy(count="last")).score == 2.0
    assert mark(book, Policy(count="any")).score == 6.0


@pytest.mark.parametrize(
    ("days", "kept"),
    [(-1, 1.0), (0, 1.0), (10 / 1440, 1.0), (20 / 1440, 0.9), (1, 0.9), (1.1, 0.8), (30, 0.5)],
)
def test_lateness_costs_by_the_day_begun_after_the_grace(book, days, kept):
    send(book, "ann", (2, 2), days)
    policy = Policy({"all": DUE}, percent_per_day=10, at_most=50, grace_minutes=15)
    assert mark(book, policy).earned == pytest.approx(4 * kept)
    assert mark(book, policy).penalty == pytest.approx(4 - 4 * kept)


def test_a_late_best_attempt_counts_only_if_it_is_still_better(book):
    send(book, "ann", (2, 2, 0, 0), -1)
    send(book, "ann", (2, 2, 2, 0), 5)
    assert mark(book, Policy({"all": DUE}, percent_per_day=10)).counted.number == 1
    assert mark(book, Policy({"all": DUE}, percent_per_day=5)).counted.number == 2
    many = mark(book, Policy({"all": DUE}, percent_per_day=20, count="any"))
    assert many.score == 4.0  # the late check is worth nothing by then


def test_tokens_are_used_in_order_of_due_dates_and_only_where_they_help(book):
    send(book, "ann", (2, 2), 2, "ex01_scale")
    send(book, "ann", (0, 0), 1, "ex02_shift")
    send(book, "ann", (2, 2), 9, "ex03_turn")
    east = timezone(timedelta(hours=12))  # the date there is a day on; the moment is not
    due = {"ex01": DUE.astimezone(east), "ex02": DUE, "ex03_turn": DUE + timedelta(days=7)}
    policy = Policy(due, percent_per_day=10, tokens=3)
    marks = standing(book, policy).marks
    used = {exercise: marks["ann", exercise].tokens_used for _, exercise in marks}
    assert used == {"ex01_scale": 2, "ex02_shift": 0, "ex03_turn": 1}
    assert marks["ann", "ex03_turn"].score == pytest.approx(3.6)


def test_a_grader_fault_is_no_mark_and_an_older_result_is_better_than_none(book):
    send(book, "ann", None, broken="the judge ended")
    assert mark(book).score is None
    assert mark(book).counted.broken == "the judge ended"
    key = send(book, "bob", (2, 0))
    newer = Key(key.sha256, EX, "w", "1", 1)
    book.begin_run([newer], {})
    book.store(newer, None, "the judge ended", 1.0)
    bob = mark(book, who="bob")
    assert (bob.score, bob.counted.stale) == (2.0, True)
    book.store(newer, report(2, 2), "", 1.0)
    assert (mark(book, who="bob").score, mark(book, who="bob").counted.stale) == (4.0, False)


def test_missing_is_blank_or_zero(book):
    send(book, "ann", (2,))
    book.add_students([Identity("bob", "Bob")])
    assert mark(book, who="bob").score is None
    assert mark(book, Policy(missing="zero"), who="bob").score == 0.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[late]\npercent = 3", "no 'percent'"),
        ("[late]\npercent_per_day = 300", "from 0 to 100"),
        ("[late]\ntokens = 1.5", "tokens"),
        ("[due]\nall = 2026-03-01T00:00:00", "offset"),
        ("[attempts]\ncount = 'first'", "best, last, any"),
        ("[missing]\nscore = 'x'", "blank or zero"),
        ("late = 3", "no part of a policy"),
        ("[late", "policy.toml"),
    ],
)
def test_a_policy_that_is_no_rule_is_refused_by_name(tmp_path, text, problem):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem):
        read_policy(path)


def test_the_policy_of_the_docs_is_read(tmp_path):
    from rlgrade.classroom import policy

    path = tmp_path / "policy.toml"
    path.write_text(policy.__doc__.partition("\n\n")[2])
    rules = read_policy(path)
    assert (rules.percent_per_day, rules.at_most, rules.tokens, rules.count) == (10, 50, 3, "best")
    assert rules.due_of(EX).isoformat() == "2026-03-01T23:59:00+01:00"


def test_a_student_is_one_person_by_any_name(book):
    roster = Identity("77", "Zoë O'Neil", "zoe@x.edu", "S1", "77", "zoe", "01")
    book.add_students([roster])
    for identity in (
        Identity("77", "oneilzoe", canvas_id="77"),
        Identity("zoe@x.edu"),
        Identity("ZOE"),
    ):
        send(book, identity, (2,), days=len(identity.key))
    people = book.rows(book.table("students").select())
    assert [(row.key, row.name, row.email) for row in people] == [("77", "Zoë O'Neil", "zoe@x.edu")]
    assert len(mark(book, who="77").attempts) == 3


def test_case_is_folded_alike_for_every_letter(book):
    for name in ("Bo Ωmega", "bo ωMEGA", "BO ΩMEGA"):
        send(book, name, (len(name),), days=len(book.rows(book.table("submissions").select())))
    assert [row.key for row in book.rows(book.table("students").select())] == ["Bo Ωmega"]
    decisions.comment(book, "bo Ωmega", EX, "x")


def test_what_could_not_be_read_is_kept_once(book):
    rejected = Rejected(Identity("eve"), "eve.zip", "it leads out")
    for _ in range(2):
        book.add_collection(Collection([], [rejected]))
    assert len(book.rows(book.table("rejected").select())) == 1


SPLIT = ["ann;=1+1", "ann\t=1+1", "ann\n=1+1", "ann; @x", 'a";=1', "a;'=1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", SPLIT)
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(book, name, delimiter):
    send(book, Identity(f"key {name}", name, f"{name}@x"), (2, 0))
    for write in (canvas, moodle, nbgrader):
        text = write(standing(book, Policy()), Choices())
        assert name in [cell for row in read_csv(text) for cell in row] or write is nbgrader
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            file = io.StringIO(text, newline="")
            for row in csv.reader(file, delimiter=delimiter, quoting=quoting):
                assert not [cell for cell in row if cell.strip(' "')[:1] in tuple("=+-@|%")]


def test_text_is_quoted_and_numbers_are_not():
    rows = [["ann;b", 'a"b', "", "5", 5, 0.1 + 0.2]]
    lines = ['"Student","n"', '"ann;b","a""b","","5",5,0.3', ""]
    assert write_csv(["Student", "n"], rows).split("\r\n") == lines


@pytest.mark.parametrize("name", NAMES)
def test_names_survive_every_table_and_no_cell_is_a_formula(book, tmp_path, name):
    send(book, Identity(f"key {name}", name, f"{name}@x"), (2, 0))
    marks = standing(book, Policy())
    for write in (canvas, moodle, nbgrader):
        text = write(marks, Choices())
        assert any(name in cell for row in read_csv(text) for cell in row) or write is nbgrader
        for row in csv.reader(io.StringIO(text, newline="")):
            assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r|%")]
    path = tmp_path / "roster.csv"
    path.write_text(canvas(marks, Choices()), newline="")
    assert [s.name for s in read_roster(path)] == [name.strip()]
    assert json.loads(jsonl(marks, Choices()))["student"]["name"] == name
    (file,) = gradescope_files(marks, Choices())
    assert file.isprintable()
    assert file.count("/") == 1
    suites = ElementTree.fromstring(junit(marks, Choices()))
    assert suites.find("./testsuite/properties/property[@name='student']").get("value") == name


def test_guarding_is_undone_exactly():
    split = [*SPLIT, ";=", ";'=", "a; =x;;+", "a\t\n-x", ";;'"]
    for text in [*NAMES, *split, "", "'", "''", "' =", "  =x", "＝x", "plain", "5", "%x", "|x"]:
        assert unguarded(guarded(text)) == text
        assert read_csv(write_csv(["h"], [[text]]))[1:] == ([[text]] if text else [[""]])
    assert write_csv(["h"], [[-5, 2.5, None, True]]).split("\r\n")[1] == "-5,2.5,,true"


def test_canvas_reads_the_columns_that_its_importer_wants(book):
    send(book, Identity("77", "Li", canvas_id="77", sis_id="S1", login="li", section="01"), (2, 0))
    decisions.override(book, "li", EX, 3.333)
    titles = {EX: "GAE, part 1 (4711)"}
    header, points, row = read_csv(canvas(standing(book, Policy()), Choices(titles=titles)))
    assert header == [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        "GAE, part 1 (4711)",
    ]
    assert points == ["    Points Possible", "", "", "", "", "4"]
    assert row == ["Li", "77", "S1", "li", "01", "3.33"]


def test_nbgrader_has_its_columns_and_penalties(book):
    send(book, Identity("li", "Bruce Li", "li@x"), (2, 2), 2)
    policy = Policy({"all": DUE}, percent_per_day=25)
    header, row = read_csv(nbgrader(standing(book, policy), Choices(policy)))
    assert dict(zip(header, row, strict=True)) == {
        "assignment": EX,
        "duedate": "2026-03-01T23:59:00+00:00",
        "timestamp": "2026-03-03T23:59:00+00:00",
        "student_id": "li",
        "last_name": "Li",
        "first_name": "Bruce",
        "email": "li@x",
        "raw_score": "4",
        "late_submission_penalty": "2",
        "score": "2",
        "max_score": "4",
    }


def test_junit_counts_and_survives_control_characters(book):
    send(book, "ann", (2, 0))
    key = send(book, "bob", (0,))
    book.store(key, report(0, message="bell \x07 \ufffe and <tag>"), "", 0.1)
    suites = ElementTree.fromstring(
        junit(standing(book, Policy()), Choices(reveal=Reveal.DIAGNOSIS))
    )
    assert [(s.get("tests"), s.get("failures")) for s in suites] == [("2", "1"), ("1", "1")]
    assert "<tag>" in suites.find(
        ".//failure[@type='fail']/../..[@name='bob ex01_scale']//failure"
    ).get("message")


def test_gradescope_results_have_the_documented_fields(book):
    send(book, "ann", (2, 0))
    decisions.override(book, "ann", EX, 3.0)
    (text,) = gradescope_files(standing(book, Policy()), Choices()).values()
    results = json.loads(text)
    assert results["score"] == 3.0
    check_gradescope(results)
    assert [t["status"] for t in results["tests"]] == ["passed", "failed"]
    assert "advantages[0]" not in text  # promises only
    (text,) = gradescope_files(standing(book, Policy()), Choices(reveal=Reveal.DIAGNOSIS)).values()
    assert "looks like: the accumulator runs on" in json.loads(text)["tests"][1]["output"]


def test_promises_alone_tell_no_seconds(book):
    """A submission that sleeps for as long as a hidden input says would have it told."""
    texts = {reveal: [] for reveal in (Reveal.PROMISE, Reveal.COUNTEREXAMPLE)}
    for seconds in (0.01, 12.345):
        key = send(book, "ann", (2, 0))
        slept = report(2, 0) | {"seconds": 3 * seconds}
        slept["checks"] = [check | {"seconds": seconds} for check in slept["checks"]]
        book.store(key, slept, "", seconds)
        marks = standing(book, Policy())
        for reveal, seen in texts.items():
            choices = Choices(reveal=reveal)
            told = [junit(marks, choices), *gradescope_files(marks, choices).values()]
            told += [json.dumps(form(slept, reveal)) for form in (github_classroom, prairielearn)]
            telling = Telling(Course(COURSE), Policy(), reveal, DUE)
            seen.append(told + [text for _, text in feedback_files(marks, telling)])
    assert texts[Reveal.PROMISE][0] == texts[Reveal.PROMISE][1]
    assert 'time="12.345"' in texts[Reveal.COUNTEREXAMPLE][1][0]
    assert json.loads(texts[Reveal.COUNTEREXAMPLE][1][1])["execution_time"] == 37.04


def check_gradescope(results):
    """The fields of Gradescope's documentation, and no others."""
    top = {"score", "execution_time", "output", "output_format", "test_output_format"}
    top |= {"test_name_format", "visibility", "stdout_visibility", "extra_data", "tests"}
    formats = ("text", "html", "simple_format", "md", "ansi")
    views = ("hidden", "after_due_date", "after_published", "visible")
    assert set(results) <= top | {"leaderboard"}
    assert results["output_format"] in formats
    assert results["visibility"] in views
    for test in results["tests"]:
        known = {"score", "max_score", "status", "name", "name_format", "number", "output"}
        assert set(test) <= known | {"output_format", "tags", "visibility", "extra_data"}
        assert test["status"] in ("passed", "failed")
        assert isinstance(test["number"], str)
        assert test["visibility"] in views
        assert 0 <= test["score"] <= test["max_score"]


def test_github_classroom_and_prairielearn_agree_with_the_report():
    out = github_classroom(report(2, 0), Reveal.PROMISE)
    assert out["status"] == "fail"
    assert [(t["status"], t["score"]) for t in out["tests"]] == [("pass", 2.0), ("fail", 0.0)]
    assert out["max_score"] == 4.0
    result = prairielearn(report(2, 0), Reveal.PROMISE)
    assert (result["gradable"], result["score"]) == (True, 0.5)
    assert all({"points", "max_points"} <= set(test) for test in result["tests"])
    broken = report(2, 0, outcome="broken")
    assert github_classroom(broken, Reveal.PROMISE)["status"] == "error"
    assert prairielearn(broken, Reveal.PROMISE)["gradable"] is False
    huge = prairielearn(report(*[0] * 40, message="x" * 60_000), Reveal.DIAGNOSIS)
    assert len(json.dumps(huge)) < MAX_PRAIRIELEARN
    assert len(huge["tests"]) == 40


def test_a_gradebook_that_is_not_there_or_newer_is_said_to_be(tmp_path, book):
    with pytest.raises(UsageError, match="no gradebook"):
        open_gradebook(str(tmp_path / "other"))
    with pytest.raises(UsageError, match="can be reached"):
        open_gradebook("nosuch://x")
    book.set_setting("format", "99")
    with pytest.raises(UsageError, match="newer rlgrade"):
        open_gradebook(book.where)


@pytest.mark.skipif(
    "RLGRADE_TEST_DATABASE" not in os.environ, reason="RLGRADE_TEST_DATABASE is not set"
)
def test_another_database_by_url():
    """For example postgresql+psycopg://user@localhost/name; its tables are dropped."""
    url = os.environ["RLGRADE_TEST_DATABASE"]
    with open_gradebook(url, create=True) as book:
        book.tables.drop_all(book.engine)
    with open_gradebook(url, create=True) as book:
        key = send(book, Identity("77", '\u200fדוד, "לוי"'), (2, 0))
        decisions.override(book, "77", EX, 1.25)
        book.store(key, report(2, 2, message="nul \x00"), "", 0.1)
        assert (mark(book, who="77").score, mark(book, who="77").earned) == (1.25, 4.0)
        assert book.graded() == {key}
        assert bytes(book.rows(book.table("submissions").select())[0].data).startswith(b"77")

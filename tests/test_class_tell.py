"""What students and the teacher are told: as much as was chosen, safe to open, and right."""

import html.parser
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("jinja2")

from test_class_book import DUE, EX, NAMES, report, send

from rlgrade.classroom import charts, decisions
from rlgrade.classroom.collect import Collection, Rejected
from rlgrade.classroom.feedback import Telling, feedback_files, indented, plain_markdown
from rlgrade.classroom.gradebook import Key, open_gradebook
from rlgrade.classroom.insight import correlation, histogram, view
from rlgrade.classroom.marks import standing
from rlgrade.classroom.names import Identity
from rlgrade.classroom.page import class_page
from rlgrade.classroom.policy import Policy
from rlgrade.classroom.similar import prints, similar_pairs
from rlgrade.classroom.telling import Reveal
from rlgrade.courses import Course
from rlgrade.outcome import UsageError

COURSE = Course(Path(__file__).parent / "course")
STUB = COURSE.find("ex01").stub.read_text()
SOLUTION = COURSE.find("ex01").solution.read_text()
SAMPLE = """
def scale(rewards, *, factor):
    # first go over the list, then over its ends
    result = [reward * factor for reward in rewards.tolist() if reward == reward]
    while len(result) < rewards.shape[0] and factor != 0:
        result.append(float("nan"))
    table = {index: value for index, value in enumerate(result)}
    return rewards.new_tensor([table[index] for index in sorted(table)])
"""


@pytest.fixture
def book(tmp_path):
    with open_gradebook(str(tmp_path / "results"), create=True) as gradebook:
        yield gradebook


def feedback(book, reveal, policy=None, now=DUE):
    policy = policy or Policy()
    telling = Telling(COURSE, policy, reveal, now)
    return dict(feedback_files(standing(book, policy), telling))


class Tags(html.parser.HTMLParser):
    """Every tag and attribute, to see that nothing of a student's making became one."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def is_self_contained(text):
    found = Tags(text)
    loads = {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert not loads & set(found.tags)
    names = {name for name, _ in found.attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "action")]
    assert not [v for k, v in found.attributes if k == "href" and not v.startswith("#")]
    assert "url(" not in text
    assert "@import" not in text
    return found


def test_each_step_reveals_more_and_nothing_before_its_step(book):
    send(book, "ann", (2, 0))
    hints = ["keeps promise 1", "advantages[0]", "the accumulator runs on", "scaled_rewards"]
    due = Policy({"all": DUE})
    for reveal in Reveal:
        for text in feedback(book, reveal, due, DUE + timedelta(days=1)).values():
            shown = text.replace("\\", "")
            assert [hint in shown for hint in hints] == [n < reveal for n in range(4)], reveal


def test_the_solution_waits_for_the_due_date(book):
    send(book, "ann", (2, 0))
    due = Policy({"all": DUE})
    early = feedback(book, Reveal.SOLUTION, due, DUE - timedelta(minutes=1))
    assert all("scaled_rewards" not in text for text in early.values())
    assert all("after the due date" in text for text in early.values())
    with pytest.raises(UsageError, match="due date"):
        feedback(book, Reveal.SOLUTION)


def test_feedback_says_what_people_decided_and_what_lateness_took(book):
    send(book, "ann", (0, 0), -1)
    send(book, "ann", (2, 2), 2)
    decisions.comment(book, "ann", EX, "well <b>done</b>", by="TA")
    policy = Policy({"all": DUE}, percent_per_day=10, tokens=1)
    page, notes = feedback(book, Reveal.PROMISE, policy).values()
    assert "3.6 of 4 points" in page
    assert "Attempt 2 of 2: the best counts" in page
    assert "2 days late, 1 of them by late days of yours; lateness took 0.4 points" in page
    assert "well &lt;b&gt;done&lt;/b&gt;" in page
    assert r"well \<b\>done\</b\>" in notes
    decisions.override(book, "ann", EX, 2.5, by="Dr. W", reason="oral")
    assert "Set by hand by Dr. W" in feedback(book, Reveal.PROMISE, policy)["ann.html"]


def test_a_grader_fault_is_told_as_one(book):
    send(book, "ann", None, broken="the judge ended")
    page = feedback(book, Reveal.PROMISE)["ann.html"]
    assert "no mark yet" in page
    assert "costs you nothing" in page
    assert "the judge ended" not in page


@pytest.mark.parametrize(
    "name", [*NAMES, "<script>alert(1)</script>", "]]> {{ 7919 * 7919 }} & \" ' x"]
)
def test_no_name_and_no_message_becomes_a_tag(book, name):
    key = send(book, Identity(f"key {name}", name), (0, 2), 1)
    evil = "</pre><script>alert(2)</script><img src=x onerror=y>{{ 7919 * 7919 }}"
    book.store(key, report(0, 2, message=evil), "", 0.1)
    decisions.comment(book, f"key {name}", EX, evil)
    book.add_collection(Collection([], [Rejected(Identity("eve"), evil, evil)]))
    marks = standing(book, Policy())
    for file, text in feedback(book, Reveal.DIAGNOSIS).items():
        if file.startswith("eve."):
            continue
        assert re.fullmatch(r"[\w.@-]+\.(html|md)", file)
        if file.endswith(".html"):
            found = is_self_contained(text)
            assert name.split()[0] in found.text
            assert evil in found.text
            assert "62710561" not in found.text
    page = is_self_contained(class_page(book, marks, COURSE))
    assert name.split()[0] in page.text
    assert evil in page.text


def test_markdown_cannot_be_broken_out_of():
    assert plain_markdown("# a\n\n* [x](y) <b>") == r"\# a \* \[x\](y) \<b\>"
    assert indented("```\nrm -rf", 4) == "    ```\n    rm -rf"


def test_items_tell_hard_checks_and_those_that_mislead(book):
    classes = [(2, 2, 0, 2, 2)] * 4 + [(2, 2, 2, 0, 2)] + [(0, 2, 2, 0, 2), (0, 0, 2, 0, 2)]
    for number, points in enumerate(classes):
        send(book, f"s{number}", points)
    found = view(standing(book, Policy()), EX)
    assert [item.difficulty for item in found.items] == [5 / 7, 6 / 7, 3 / 7, 4 / 7, 1.0]
    first, second, third, fourth, last = [item.discrimination for item in found.items]
    rest = [sum(p[1:]) for p in classes]
    assert first == pytest.approx(correlation([p[0] / 2 for p in classes], rest))
    assert third < 0 < second
    assert fourth == pytest.approx(0)
    assert last is None  # all pass it
    assert (found.sent, found.graded, found.passed, found.missing) == (7, 7, 0, 0)
    assert found.mean == pytest.approx(sum(map(sum, classes)) / 7)


def test_the_mistakes_of_a_class_come_with_the_students_behind(book):
    for who, says in (("ann", ["a"]), ("bob", ["a", "b"]), ("cleo", []), ("dan", None)):
        key = send(book, who, (0, 2) if says is not None else (2, 2))
        told = report(0, 2) if says is not None else report(2, 2)
        told["checks"][0]["diagnosis"] = says or []
        book.store(key, told, "", 0.1)
    found = view(standing(book, Policy()), EX)
    students = {d.says: [who.key for who in d.students] for d in found.diagnoses}
    assert students == {"a": ["ann", "bob"], "b": ["bob"]}
    assert [d.says for d in found.diagnoses] == ["a", "b"]
    assert found.undiagnosed == 1


def test_bins_have_both_ends():
    assert histogram([0, 0.99, 1, 9.99, 10, 3.0], 10) == [2, 1, 0, 1, 0, 0, 0, 0, 0, 2]
    assert histogram([], 10) == [0] * 10
    assert histogram([1.0], 0) == [1] + [0] * 9


def test_walls_that_were_touched_are_shown(book):
    text = "f raised PermissionError: x; the sandbox refuses new processes, programs, sockets"
    key = send(book, "eve", (0, 0))
    book.store(key, report(0, 0, outcome="error", message=text), "", 0.1)
    send(book, "ann", (2, 0))
    (wall,) = view(standing(book, Policy()), EX).walls
    assert wall.student.key == "eve"
    assert "file, a socket" in wall.what
    assert "Walls touched" in class_page(book, standing(book, Policy()), COURSE)


def test_a_real_attempt_on_the_walls_is_seen(book, server):
    from rlgrade.judge.grading import grade
    from rlgrade.report import as_plain

    source = SOLUTION.replace(
        "    scaled_rewards =", "    open('/etc/shadow')\n    scaled_rewards ="
    )
    found = grade(COURSE.find("ex01"), source.encode(), server, 1)
    key = send(book, "eve", (0, 0))
    book.store(key, as_plain(found), "", 0.1)
    assert [wall.student.key for wall in view(standing(book, Policy()), EX).walls] == ["eve"]


def test_time_goes_by_days(book):
    for who, points, days in (("a", (0,), -2), ("a", (2,), 0), ("b", (2,), -2), ("c", (0,), -1)):
        send(book, who, points, days)
    assert view(standing(book, Policy()), EX).days == [
        ("2026-02-27", 2, 1),
        ("2026-02-28", 1, 1),
        ("2026-03-01", 1, 2),
    ]


def renamed(text):
    for old, new in (("result", "r"), ("reward", "q"), ("index", "n"), ("table", "lookup")):
        text = re.sub(rf"\b{old}\b", new, text)
    text = text.replace("    # first go over the list, then over its ends\n", "")
    return text.replace("    while", "\n\n    while").replace(" * ", "*")


def test_a_renamed_copy_is_found_and_usual_answers_are_not():
    crowd = {f"s{n}": SOLUTION + f"\nx{n} = {n}\n" for n in range(60)}
    rights = {path.name: path.read_text() for path in COURSE.find("ex01").right}
    copies = {"ann": STUB + SAMPLE, "bob": renamed(SAMPLE) + STUB}
    pairs = similar_pairs(crowd | rights | copies, STUB)
    assert [(pair.one, pair.other) for pair in pairs] == [("ann", "bob")]
    assert pairs[0].share > 0.8
    assert len(prints(STUB) - prints(STUB + SAMPLE)) <= 2  # the end of one is not that of the other


def test_comments_in_the_same_words_are_evidence():
    crowd = {f"s{n}": SOLUTION for n in range(5)}
    same = "\n# I do not know why, but this works on my machine\n"
    crowd |= {"ann": STUB + same, "bob": SOLUTION + same}
    (pair,) = similar_pairs(crowd, STUB)
    assert (pair.one, pair.other, len(pair.comments)) == ("ann", "bob", 1)


def test_text_that_is_no_python_is_compared_too():
    broken = "def f(:\n  '''open\n" + "a b c d e f g h i j k l m n o p q " * 3
    assert prints(broken)
    assert similar_pairs({"a": broken, "b": broken + " z"}, "")


def test_charts_say_each_value():
    text = charts.bars([3, 0], ["0–1", "<2"], 'a "title"', "students")
    assert "<title>0–1: 3 students</title>" in text
    assert "&lt;2: 0 students" in text
    assert charts.line([], [], "empty", "x").count("<circle") == 0


def test_the_page_of_a_class_stands_alone(book):
    send(book, "ann", (2, 0), -1)
    send(book, "bob", (2, 2), 0)
    send(book, "cleo", None, broken="the judge ended")
    decisions.override(book, "ann", EX, 3.0)
    found = is_self_contained(class_page(book, standing(book, Policy()), COURSE))
    for part in ("Mistakes the class makes", "Checks", "Over time", "Grader faults", "Students"):
        assert part in found.text
    assert "3*" in found.text
    assert "svg" in found.tags


def test_an_empty_gradebook_has_no_page(book):
    with pytest.raises(UsageError, match="nobody"):
        class_page(book, standing(book, Policy()), COURSE)


def test_keys_of_one_result_are_one_row(book):
    key = Key("0" * 64, EX, "v", "1", 1)
    for seconds in (1.0, 2.0):
        book.store(key, report(2), "", seconds)
    assert [row.seconds for row in book.rows(book.table("results").select())] == [2.0]
    assert (
        datetime.now(UTC).isoformat()[:4] in book.rows(book.table("results").select())[0].graded_at
    )


def test_the_commands_decide_tell_and_export(book, tmp_path):
    from click.testing import CliRunner

    from rlgrade.cli import cli

    send(book, Identity("77", "=Ann, O'N", "a@x", canvas_id="77"), (2, 0), 2)
    where = str(tmp_path / "results")
    (tmp_path / "results" / "policy.toml").write_text(
        "[due]\nall = 2026-03-01T23:59:00Z\n[late]\npercent_per_day = 10\n"
    )

    def run(*arguments, code=0):
        done = CliRunner().invoke(cli, ["--course", str(COURSE.root), "class", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    assert ",1.6\n" in run("export", where, "--format", "canvas")  # two days late
    run("override", where, "a@x", "ex01", "3.25", "--by", "Dr. W", "--reason", "oral")
    run("comment", where, "77", "ex01", "see me", "--by", "TA")
    assert ",3.25\n" in run("export", where, "--format", "canvas", "--title", "ex01=Scale (9)")
    assert "Scale (9)" in run("export", where, "--format", "canvas", "--title", "ex01=Scale (9)")
    run("export", where, "--format", "gradescope", "--to", str(tmp_path / "gs"))
    assert [p.name for p in (tmp_path / "gs").rglob("*.json")] == ["results.json"]
    run("feedback", where, "--to", str(tmp_path / "told"), "--reveal", "counterexample")
    page = (tmp_path / "told" / "77.html").read_text()
    for part in ("3.25 of 4", "see me", "Set by hand by Dr. W", "oral", "smallest case"):
        assert part in page
    assert "written: " in run("page", where)
    assert "3.25*" in (tmp_path / "results" / "class.html").read_text()
    run("override", where, "77", "ex01", "--clear")
    assert ",1.6\n" in run("export", where, "--format", "canvas")
    assert "nobody in the gradebook" in run("comment", where, "bob", "ex01", "x", code=2)
    assert "name the points" in run("override", where, "77", "ex01", code=2)
    assert "name it with --to" in run("export", where, "--format", "gradescope", code=2)
    assert "no gradebook" in run("page", str(tmp_path / "other"), code=2)

"""Courses: exercises are found by any of their names, and a file of the wrong form is named."""

from pathlib import Path

import pytest

from rlgrade import places
from rlgrade.courses import Course, CourseError, Edit, Mistake, find_course
from rlgrade.outcome import UsageError

COURSE = 'format = 1\ntitle = "Sums"\n\n[chapters]\nfirst = "First"\nsecond = "Second"\n'
EXERCISE = """\
title = "Totals"
chapter = "first"
version = 1
minutes = 20
difficulty = 2
importance = 3
points = 10
prerequisites = ["ex00_start"]
"""
SOLUTION = "def total(xs):\n    # BEGIN SOLUTION\n    return sum(xs) + 0 + 0\n    # END SOLUTION\n"
MISTAKE = """\
[[mistakes]]
name = "one more"
says = "one is added"
caught_by = "adds_up"
replace = "sum(xs)"
with = "sum(xs) + 1"
"""


@pytest.fixture(autouse=True)
def no_course_in_the_environment(monkeypatch):
    monkeypatch.delenv("RLGRADE_COURSE", raising=False)


@pytest.fixture
def root(tmp_path) -> Path:
    """A course of three exercises; the first is complete."""
    write(tmp_path / "exercises" / "course.toml", COURSE)
    for name in ("ex12_returns", "ex02_baselines", "ex05_totals"):
        (tmp_path / "solutions" / name).mkdir(parents=True)
    hidden = tmp_path / "solutions" / "ex05_totals"
    write(hidden / "exercise.toml", EXERCISE)
    write(hidden / "totals.py", SOLUTION)
    write(hidden / "mistakes.toml", MISTAKE)
    write(hidden / "hints.md", "What is a sum?\n\n---\n\nTry `sum`.\n---\nReturn `sum(xs)`.\n")
    return tmp_path


@pytest.fixture
def hidden(root) -> Path:
    return root / "solutions" / "ex05_totals"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def totals(root):
    """The complete exercise, read anew."""
    return Course(root).find("ex05")


# Where a course is


def test_a_course_is_found_by_its_path(root):
    assert find_course(root) == find_course(str(root)) == Course(root)
    assert find_course(root).title == "Sums"
    assert list(find_course(root).chapters.items()) == [("first", "First"), ("second", "Second")]


def test_a_relative_path_gives_an_absolute_root(root, monkeypatch):
    monkeypatch.chdir(root)
    assert find_course(".").root == root


def test_the_environment_names_a_course(root, monkeypatch):
    monkeypatch.setenv("RLGRADE_COURSE", str(root))
    assert find_course().root == root


def test_a_path_wins_over_the_environment(root, monkeypatch, tmp_path):
    monkeypatch.setenv("RLGRADE_COURSE", str(tmp_path / "nowhere"))
    assert find_course(root).root == root


def test_an_empty_name_is_no_name(root, monkeypatch):
    monkeypatch.setenv("RLGRADE_COURSE", "")
    assert find_course("") == find_course()


def test_the_package_has_a_course():
    assert find_course().exercises


def test_the_course_inside_the_package_comes_before_the_checkout(root, monkeypatch):
    package = root / "package"
    write(package / "course" / "exercises" / "course.toml", COURSE)
    monkeypatch.setattr(places, "PACKAGE", str(package))
    assert find_course().root == package / "course"


def test_no_course_there_is_said_with_the_path(root, monkeypatch):
    with pytest.raises(UsageError) as caught:
        find_course(root / "solutions")
    assert str(caught.value) == (
        f"no course at {root / 'solutions'}: exercises/course.toml is not there"
    )
    monkeypatch.setenv("RLGRADE_COURSE", str(root / "nowhere"))
    with pytest.raises(UsageError, match=r"no course at .*nowhere"):
        find_course()


# Which exercises it has


def test_exercises_are_the_folders_of_solutions_in_order(root):
    write(root / "solutions" / "ex07_file", "")
    write(root / "solutions" / "notes" / "exercise.toml", "")
    assert list(map(str, Course(root).exercises)) == [
        "ex02_baselines",
        "ex05_totals",
        "ex12_returns",
    ]


@pytest.mark.parametrize(
    "name", ["ex05_totals", "ex05", "totals", "EX05", "Totals", "ex05_totals/", "ex05/"]
)
def test_an_exercise_is_found_by_id_number_and_name(root, name):
    assert Course(root).find(name).id == "ex05_totals"


def test_an_exercise_knows_its_files(root):
    exercise = totals(root)
    assert exercise.short == "ex05"
    assert exercise.file == "totals.py"
    assert exercise.stub == root / "exercises" / "ex05_totals" / "totals.py"
    assert exercise.solution == root / "solutions" / "ex05_totals" / "totals.py"


def test_a_name_of_several_words_stays_whole(root):
    (root / "solutions" / "ex08_policy_gradient").mkdir()
    exercise = Course(root).find("policy_gradient")
    assert (exercise.short, exercise.file) == ("ex08", "policy_gradient.py")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ex13", "ex12"),
        ("ex05_total", "ex05_totals"),
        ("retruns", "ex12_returns"),
        ("baseline", "ex02_baselines"),
    ],
)
def test_the_nearest_exercise_is_suggested(root, name, nearest):
    with pytest.raises(UsageError) as caught:
        Course(root).find(name)
    assert str(caught.value) == f"there is no exercise {name!r}; did you mean {nearest}?"


@pytest.mark.parametrize("name", ["", "zzz", "/"])
def test_without_a_near_name_the_list_is_suggested(root, name):
    with pytest.raises(UsageError) as caught:
        Course(root).find(name)
    assert str(caught.value) == f"there is no exercise {name!r}; `rlgrade list` shows them all"


@pytest.mark.parametrize("name", ["gae", "gea", "ppo"])
def test_a_short_name_is_found_or_suggested(root, name):
    (root / "solutions" / "ex05_totals").rename(root / "solutions" / "ex05_gae")
    (root / "solutions" / "ex09_ppo").mkdir()
    try:
        found = Course(root).find(name).id
    except UsageError as error:
        found = str(error)
    assert ("ex09_ppo" if name == "ppo" else "ex05_gae") in found


# What course.toml says


@pytest.mark.parametrize("use", ["exercises", "title", "chapters"])
def test_a_newer_format_is_refused_in_one_sentence(root, use):
    path = root / "exercises" / "course.toml"
    write(path, COURSE.replace("format = 1", "format = 2"))
    with pytest.raises(CourseError) as caught:
        getattr(Course(root), use)
    assert str(caught.value) == (
        f"{path}: this course has format 2, and this rlgrade reads format 1; "
        "install a newer rlgrade"
    )


@pytest.mark.parametrize("form", ["", "format = 0\n", 'format = "1"\n'])
def test_no_format_or_a_wrong_one_does_not_ask_for_a_newer_rlgrade(root, form):
    path = root / "exercises" / "course.toml"
    write(path, COURSE.replace("format = 1\n", form))
    with pytest.raises(CourseError) as caught:
        _ = Course(root).exercises
    assert str(caught.value).startswith(f"{path}: ")
    assert "newer" not in str(caught.value)


@pytest.mark.parametrize("field", ["title", "chapters"])
def test_a_field_missing_in_course_toml_is_named(root, field):
    path = root / "exercises" / "course.toml"
    write(path, "format = 1\n" + ("" if field == "title" else 'title = "Sums"\n'))
    with pytest.raises(CourseError) as caught:
        getattr(Course(root), field)
    assert str(caught.value).startswith(f"{path}: ")
    assert field in str(caught.value)


# What exercise.toml says


def test_metadata_are_the_fields_of_exercise_toml(root):
    metadata = totals(root).metadata
    assert metadata.title == "Totals"
    assert metadata.prerequisites == ["ex00_start"]
    assert metadata.points == 10
    assert metadata.seconds == 1.0


def test_an_unknown_field_is_named_with_the_known_ones(root, hidden):
    write(hidden / "exercise.toml", EXERCISE + "point = 3\n")
    with pytest.raises(CourseError) as caught:
        _ = totals(root).metadata
    assert str(caught.value).startswith(
        f"{hidden / 'exercise.toml'}: unknown field 'point'; known are ['chapter', "
    )


@pytest.mark.parametrize(
    "fields", [("points",), ("title", "points"), ("title", "chapter", "minutes")]
)
def test_missing_fields_are_named(root, hidden, fields):
    lines = [line for line in EXERCISE.splitlines() if line.split()[0] not in fields]
    write(hidden / "exercise.toml", "\n".join(lines))
    with pytest.raises(CourseError) as caught:
        _ = totals(root).metadata
    message = str(caught.value)
    assert message.startswith(f"{hidden / 'exercise.toml'}: missing '{fields[0]}'")
    assert message.endswith(f"'{fields[-1]}'")
    assert all(f"'{field}'" in message for field in fields)


@pytest.mark.parametrize("line", ['points = "ten"', 'prerequisites = "ex00"', "title = 3"])
def test_a_field_of_the_wrong_type_is_named(root, hidden, line):
    field = line.split()[0]
    lines = [old for old in EXERCISE.splitlines() if old.split()[0] != field]
    write(hidden / "exercise.toml", "\n".join([*lines, line]))
    with pytest.raises(CourseError, match=field):
        _ = totals(root).metadata


@pytest.mark.parametrize("name", ["exercise.toml", "mistakes.toml"])
@pytest.mark.parametrize("data", [b"title = ", b"title", b"a = 1\na = 2", b"title = '\xff'"])
def test_broken_toml_is_refused_with_the_file(root, hidden, name, data):
    (hidden / name).write_bytes(data)
    with pytest.raises(CourseError) as caught:
        _ = totals(root).metadata, totals(root).mistakes
    assert str(caught.value).startswith(f"{hidden / name}: ")


@pytest.mark.parametrize("data", [b"format =", b"format = 1\ntitle = '\xff'"])
def test_a_broken_course_toml_is_refused_with_the_file(root, data):
    path = root / "exercises" / "course.toml"
    path.write_bytes(data)
    with pytest.raises(CourseError) as caught:
        _ = Course(root).title
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "use"),
    [("exercise.toml", "metadata"), ("mistakes.toml", "mistakes"), ("hints.md", "hints")],
)
def test_a_missing_file_is_named(root, hidden, name, use):
    (hidden / name).unlink()
    with pytest.raises(CourseError) as caught:
        getattr(totals(root), use)
    assert str(caught.value) == f"{hidden / name} is missing"


def test_hints_are_divided_by_lines_of_three_dashes(root):
    assert totals(root).hints == ["What is a sum?", "Try `sum`.", "Return `sum(xs)`."]


def test_right_files_come_in_order(root, hidden):
    for name in ("b.py", "a.py", "notes.md"):
        write(hidden / "right" / name, "")
    assert [path.name for path in totals(root).right] == ["a.py", "b.py"]


# Mistakes


def test_a_mistake_is_an_edit_of_the_solution(root):
    (mistake,) = totals(root).mistakes
    edits = (Edit("sum(xs)", "sum(xs) + 1"),)
    assert mistake == Mistake("one more", "one is added", "adds_up", edits)
    source = totals(root).mistaken_source(mistake)
    assert source == SOLUTION.replace("sum(xs)", "sum(xs) + 1")


def test_a_mistake_may_have_several_edits(root, hidden):
    head = 'name = "a"\nsays = "b"\ncaught_by = "c"\n'
    edits = """edits = [
        {replace = "sum(xs)", with = "1"},
        {replace = "total", with = ""},
    ]\n"""
    write(hidden / "mistakes.toml", f"[[mistakes]]\n{head}{edits}")
    (mistake,) = totals(root).mistakes
    expected = SOLUTION.replace("sum(xs)", "1").replace("total", "")
    assert totals(root).mistaken_source(mistake) == expected


@pytest.mark.parametrize(("text", "count"), [("mean(xs)", 0), (" + 0", 2)])
def test_a_text_to_replace_occurs_exactly_once(root, hidden, text, count):
    write(hidden / "mistakes.toml", MISTAKE.replace('replace = "sum(xs)"', f'replace = "{text}"'))
    (mistake,) = totals(root).mistakes
    with pytest.raises(CourseError) as caught:
        totals(root).mistaken_source(mistake)
    assert str(caught.value) == (
        f"{hidden / 'mistakes.toml'}: 'one more' replaces a text that occurs {count} times in "
        f"totals.py; it must occur once:\n{text}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "title = 1",
        "mistakes = 1",
        MISTAKE + "[other]\n",
        "mistakes = [1]",
        'mistakes = ["sum"]',
        "[[mistakes]]\n",
        MISTAKE.replace("with = ", "by = "),
        MISTAKE.replace('with = "sum(xs) + 1"\n', ""),
        MISTAKE.replace('replace = "sum(xs)"\n', ""),
        MISTAKE.replace('says = "one is added"\n', ""),
        MISTAKE + 'why = "?"\n',
        MISTAKE + 'edits = [{replace = "a", with = "b"}]\n',
        MISTAKE.replace("replace", "edits = [{}]\nreplace"),
        MISTAKE.split("replace")[0] + "edits = []\n",
        MISTAKE.split("replace")[0] + "edits = [1]\n",
        MISTAKE.split("replace")[0] + 'edits = [{replace = "a", by = "b"}]\n',
        MISTAKE.replace('replace = "sum(xs)"', "replace = 1"),
    ],
    ids=lambda text: ascii(text)[-40:],
)
def test_mistakes_of_the_wrong_form_are_refused_with_the_file(root, hidden, text):
    write(hidden / "mistakes.toml", text)
    with pytest.raises(CourseError) as caught:
        _ = totals(root).mistakes
    assert str(caught.value).startswith(f"{hidden / 'mistakes.toml'}: ")

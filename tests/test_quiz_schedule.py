"""When an item comes again: late where it was recalled well, and before the interview."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from rlgrade.quiz.notes import Card, Notebook, Notes
from rlgrade.quiz.schedule import (
    Answered,
    Grade,
    card_number,
    card_of,
    due_day,
    due_items,
    grade_of,
    next_days,
    record,
    reviewed,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.astimezone().date()


class Item(msgspec.Struct, frozen=True):
    """What the schedule needs of an item."""

    id: str = "gae.compute.first"
    meaning: int = 1
    rev: int = 1


def days(grades, by=None):
    """The intervals in days, where each review is made on its day."""
    card, now, found = Card(topic="gae", meaning=1), NOW, []
    for grade in grades:
        card = reviewed(card, "gae.compute.first", grade, now, by)
        found.append((card.due - now).days)
        now = card.due
    return found


def test_intervals_grow_with_recall_and_a_lapse_begins_small():
    good = days([Grade.GOOD] * 5)
    assert good == sorted(good)
    assert good[0] >= 1
    assert good[-1] > 100
    lapse = days([Grade.GOOD, Grade.GOOD, Grade.GOOD, Grade.AGAIN])
    assert lapse[3] < lapse[2] / 4
    assert days([Grade.AGAIN])[0] <= days([Grade.HARD])[0] <= days([Grade.GOOD])[0]
    assert days([Grade.GOOD])[0] < days([Grade.EASY])[0]


def test_the_schedule_is_the_same_each_time():
    assert len({tuple(days([Grade.GOOD, Grade.HARD, Grade.GOOD])) for _ in range(20)}) == 1


@pytest.mark.parametrize("left", [1, 2, 3, 7, 11, 60])
def test_no_interval_goes_beyond_the_interview(left):
    by = TODAY + timedelta(days=left)
    card, now = Card(topic="gae", meaning=1), NOW
    for _ in range(8):
        card = reviewed(card, "gae.compute.first", Grade.EASY, now, by)
        assert card.due.astimezone().date() <= by
        if left > 1:
            assert card.due.astimezone().date() < by or now.astimezone().date() >= by - timedelta(1)
        if card.due.astimezone().date() >= by:
            break
        now = card.due
    else:
        pytest.fail("eight reviews of ease, and the day never came")


def test_after_the_interview_intervals_are_free_again():
    assert days([Grade.GOOD] * 4, by=TODAY - timedelta(1)) == days([Grade.GOOD] * 4)


def test_what_was_scheduled_for_later_comes_in_the_week_before_the_interview():
    by = TODAY + timedelta(days=30)
    found = set()
    for number in range(60):
        item = f"gae.compute.n{number}"
        card = Card(topic="gae", meaning=1, due=NOW + timedelta(days=400), last=NOW)
        day = due_day(card, item, by, TODAY)
        assert by - timedelta(7) <= day < by
        assert due_day(card, item, by, TODAY + timedelta(days=5)) == day
        assert due_day(card, item, None, TODAY) == TODAY + timedelta(days=400)
        found.add(day)
    assert len(found) == 7


def test_an_item_is_due_from_the_morning_of_its_day():
    notebook = Notebook(cards={"a.b": Card(topic="a", meaning=1, due=NOW, last=NOW)})
    assert due_items(notebook, TODAY) == ["a.b"]
    assert due_items(notebook, TODAY - timedelta(1)) == []
    assert next_days(notebook, TODAY + timedelta(3)) == {TODAY + timedelta(3): 1}


@pytest.mark.parametrize(
    ("answered", "grade"),
    [
        (Answered(right=True, score=1), Grade.GOOD),
        (Answered(right=True, score=1, easy=True), Grade.EASY),
        (Answered(right=True, score=1, hints=1), Grade.HARD),
        (Answered(right=True, score=1, hints=1, easy=True), Grade.HARD),
        (Answered(right=True, score=1, confidence="sure"), Grade.GOOD),
        (Answered(right=True, score=1, confidence="unsure"), Grade.HARD),
        (Answered(right=True, score=1, confidence="guess"), Grade.HARD),
        (Answered(right=False, score=0.9), Grade.AGAIN),
        (Answered(right=False, score=0, tries=2), Grade.AGAIN),
    ],
)
def test_grades_of_an_answer(answered, grade):
    assert grade_of(answered) is grade


@pytest.mark.parametrize(
    ("score", "faults", "grade"),
    [(1, False, Grade.GOOD), (0.69, False, Grade.HARD), (0.9, True, Grade.AGAIN)],
)
def test_grades_of_an_open_answer(score, faults, grade):
    answered = Answered(right=False, score=score, faults=faults)
    assert grade_of(answered, of_open=True) is grade


def test_an_edit_keeps_the_schedule_and_a_new_meaning_begins_anew():
    notebook = Notebook()
    record(notebook, Item(), "gae", Answered(right=True, score=1), NOW)
    kept = notebook.cards[Item().id]
    assert card_of(notebook, Item(rev=7), "gae") == kept
    anew = card_of(notebook, Item(rev=8, meaning=2), "gae")
    assert (anew.due, anew.stability, anew.answered) == (None, None, 0)
    assert anew.shown == 1  # the next variant is another all the same
    assert card_of(notebook, Item(), "critics").topic == "critics"  # moved to another file


def test_numbers_of_items_are_their_own_and_stay():
    assert card_number("gae.compute.first") == 5572291781375780085
    assert len({card_number(f"a.b{n}") for n in range(1000)}) == 1000


def test_two_sessions_at_once_lose_no_answer(tmp_path):
    one, other = Notes(tmp_path, now=lambda: NOW), Notes(tmp_path, now=lambda: NOW)
    for number in range(10):
        for notes in (one, other):
            with notes.change() as notebook:
                item = Item(id=f"a.b{number}")
                record(notebook, item, "a", Answered(right=True, score=1), NOW)
    assert [card.answered for card in one.read().cards.values()] == [2] * 10
    assert one.own_seed() == other.own_seed() >= 0


def test_where_nothing_can_be_kept_it_is_said_once_and_the_session_goes_on(tmp_path):
    (tmp_path / "file").write_text("no folder")
    said = []
    notes = Notes(tmp_path / "file", now=lambda: NOW, say=said.append)
    for number in range(3):
        with notes.change() as notebook:
            record(notebook, Item(id=f"a.b{number}"), "a", Answered(right=True, score=1), NOW)
    assert len(notes.read().cards) == 3
    assert not notes.keeps
    assert len(said) == 1
    assert "answers are not kept" in said[0]


def test_a_day_of_interview_survives_the_file(tmp_path):
    with Notes(tmp_path).change() as notebook:
        notebook.by = date(2026, 12, 1)
    assert Notes(tmp_path).read().by == date(2026, 12, 1)

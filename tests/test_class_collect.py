"""Collecting a class's submissions: every layout is read, nothing hostile is followed."""

import io
import os
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from rlgrade.classroom.archives import MAX_ENTRIES, MAX_ZIP
from rlgrade.classroom.collect import Collection, Rejected, collect, with_times
from rlgrade.classroom.gradebook import open_gradebook
from rlgrade.classroom.names import Identity, is_file_name, sender_of
from rlgrade.classroom.roster import read_roster
from rlgrade.courses import Exercise
from rlgrade.judge.source import MAX_SOURCE
from rlgrade.outcome import UsageError

ONE = Exercise("ex01_scale", Path(), Path())
TWO = Exercise("ex02_shift", Path(), Path())


def zipped(files, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def place(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def told(collection):
    """Who sent what for which exercise."""
    return {(f.student.key, f.exercise): f.data.decode() for f in collection.found}


def reasons(collection):
    assert not collection.found
    return [rejected.reason for rejected in collection.rejected]


def link(target):
    info = zipfile.ZipInfo("scale.py")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, target)
    return out.getvalue()


def test_folders_zips_and_checkouts_of_students(tmp_path):
    place(
        tmp_path,
        {
            "ann/ex01_scale/scale.py": "a1",
            "ann/ex02_shift/shift.py": "a2",
            "ann/scale.py": "not this one: the exercise's own folder comes first",
            "bob.zip": zipped({"hand-in/ex01_scale/scale.py": "b1", "notes.txt": "x"}),
            "course-cleo/.git/HEAD": "ref: refs/heads/main",
            "course-cleo/.git/scale.py": "no",
            "course-cleo/src/scale.py": "c1",
            "דוד לוי/scale (2).py": "d1",
            "eve/.venv/lib/scale.py": "no",
            ".DS_Store": "no",
        },
    )
    assert told(collect(tmp_path, [ONE, TWO])) == {
        ("ann", "ex01_scale"): "a1",
        ("ann", "ex02_shift"): "a2",
        ("bob", "ex01_scale"): "b1",
        ("course-cleo", "ex01_scale"): "c1",
        ("דוד לוי", "ex01_scale"): "d1",
    }


def test_downloads_of_canvas_as_files_and_as_one_zip(tmp_path):
    files = {
        "smithjane_1234_99001_scale-1.py": "j1",
        "smithjane_1234_99002_shift.py": "j2",
        "李小龙_LATE_77_99003_scale.py": "l1",
        "doejohn_55_99004_work.zip": zipped({"scale.py": "d1"}),
        "annonymous_56_question_9_99005_homework.txt": "no code",
    }
    want = {
        ("1234", "ex01_scale"): "j1",
        ("1234", "ex02_shift"): "j2",
        ("77", "ex01_scale"): "l1",
        ("55", "ex01_scale"): "d1",
    }
    found = collect(place(tmp_path / "files", files), [ONE, TWO])
    assert told(found) == want
    (tmp_path / "submissions.zip").write_bytes(zipped(files))
    assert told(collect(tmp_path / "submissions.zip", [ONE, TWO])) == want
    (tmp_path / "in").mkdir()
    (tmp_path / "submissions.zip").rename(tmp_path / "in" / "submissions.zip")
    with pytest.raises(UsageError, match="name that zip itself"):
        collect(tmp_path / "in", [ONE, TWO])
    (late,) = [f for f in found.found if f.student.key == "77"]
    assert late.note == "Canvas marks it late"
    assert late.student.canvas_id == "77"


def test_an_export_of_gradescope_with_a_group(tmp_path):
    metadata = """\
submission_7:
  :submitters:
  - :name: Pair One
    :sid: '200'
    :email: one@school.edu
  - :name: "Pair, \\"Two\\""
    :sid: '201'
    :email: two@school.edu
  :created_at: 2026-02-27 10:15:00.000000000 Z
  :score: 3.0
"""
    root = tmp_path / "assignment_1_export"
    place(root, {"submission_metadata.yml": metadata, "submission_7/scale.py": "p"})
    found = collect(root, [ONE]).found
    assert [f.student.email for f in found] == ["one@school.edu", "two@school.edu"]
    assert found[1].student.name == 'Pair, "Two"'
    assert found[0].submitted_at.isoformat() == "2026-02-27T10:15:00+00:00"
    out = tmp_path / "export.zip"
    names = {str(p.relative_to(tmp_path)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    out.write_bytes(zipped(names))
    assert [f.student.key for f in collect(out, [ONE]).found] == [f.student.key for f in found]


def test_downloads_of_moodle(tmp_path):
    place(
        tmp_path,
        {
            "Jane Smith_657737_assignsubmission_file_/scale.py": "j",
            "Nils Ek_657738_assignsubmission_file_scale.py": "n",
        },
    )
    found = collect(tmp_path, [ONE])
    assert told(found) == {("657737", "ex01_scale"): "j", ("657738", "ex01_scale"): "n"}
    assert found.found[0].student.name == "Jane Smith"


def test_a_folder_for_each_exercise_and_flat_files(tmp_path):
    place(
        tmp_path / "a", {"ex01_scale/ann.zip": zipped({"scale.py": "1"}), "ex02/ann/shift.py": "2"}
    )
    want = {("ann", "ex01_scale"): "1", ("ann", "ex02_shift"): "2"}
    assert told(collect(tmp_path / "a", [ONE, TWO])) == want
    place(tmp_path / "b", {"ann.py": "1", "bob.py": "2"})
    assert set(told(collect(tmp_path / "b", [ONE]))) == {("ann", ONE.id), ("bob", ONE.id)}


def test_one_students_work_is_no_class(tmp_path):
    place(tmp_path, {"ex01_scale/scale.py": "1", "ex02_shift/shift.py": "2"})
    with pytest.raises(UsageError, match="one student's work"):
        collect(tmp_path, [ONE, TWO])


def test_nothing_there_says_what_is_expected(tmp_path):
    with pytest.raises(UsageError, match="no folder or zip"):
        collect(tmp_path / "missing", [ONE])
    with pytest.raises(UsageError, match=r"one folder, zip or file for each student.*scale\.py"):
        collect(place(tmp_path, {"ann/notes.txt": "x"}), [ONE])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zipped({"../../scale.py": "x"}), "leads out"),
        (zipped({"/etc/scale.py": "x"}), "leads out"),
        (zipped({"a\\..\\..\\scale.py": "x"}), "leads out"),
        (zipped({"C:\\scale.py": "x"}), "leads out"),
        (link("/etc/passwd"), "is a link"),
        (zipped({"scale.py": "x" * 99}, compression=zipfile.ZIP_LZMA), "packed in a way"),
        (zipped({f"{n}/x": "" for n in range(MAX_ENTRIES + 1)}), "more than"),
        (zipped({"/".join("a" * 200) + "/scale.py": "x"}), "without end"),
        (b"PK\x03\x04 no zip at all", "cannot be read"),
        (zipped({"x.py": "x"}).replace(b"x.py", b"\0.py"), "has no name"),
        (zipped({".": "x"}), "has no name"),
        (zipped({"\u20ac.py": "x"}).replace("\u20ac".encode(), b"\xff\xfe\xfd"), "cannot be read"),
        (b"x" * (MAX_ZIP + 1), "larger than"),
    ],
)
def test_hostile_archives_are_refused_and_said_to_be(tmp_path, data, reason):
    place(tmp_path, {"eve.zip": data})
    (said,) = reasons(collect(tmp_path, [ONE]))
    assert reason in said
    assert [p.name for p in tmp_path.rglob("*")] == ["eve.zip"]  # nothing was unpacked


@pytest.mark.parametrize("error", [IndexError("x"), RecursionError("x"), MemoryError()])
def test_whatever_an_archive_raises_ends_nobody_elses_run(tmp_path, monkeypatch, error):
    class Fails(zipfile.ZipFile):
        def infolist(self):
            raise error

    place(tmp_path, {"ann/scale.py": "1", "eve.zip": zipped({"scale.py": "2"})})
    monkeypatch.setattr(zipfile, "ZipFile", Fails)
    found = collect(tmp_path, [ONE])
    assert told(found) == {("ann", "ex01_scale"): "1"}
    assert [each.student.key for each in found.rejected] == ["eve"]


def test_a_name_that_is_no_text_ends_nobody_elses_run(tmp_path):
    """Linux takes any bytes for a name; databases and files of ours take UTF-8 alone."""
    place(tmp_path / "in", {"ann/scale.py": "1", "bob/ok.py": "2"})
    odd = os.fsdecode(b"\xff")
    place(tmp_path / "in", {f"bob/{odd}.zip": "no zip", f"{odd}/scale.py": "3"})
    place(tmp_path / "in", {f"{odd}.zip": "no zip", "cleo.zip": zipped({"scale.py": "4"})})
    (tmp_path / "in" / "eve").mkdir()
    (tmp_path / "in" / "eve" / f"{odd}.py").symlink_to("scale.py")
    found = collect(tmp_path / "in", [ONE])
    assert len(found.found) == 4
    assert len(found.rejected) == 3
    with open_gradebook(str(tmp_path / "out"), create=True) as book:
        book.add_collection(found)
        odd_ones = Rejected(Identity(odd, odd), odd, odd)
        one = replace(found.found[0], student=Identity(odd, odd), path=odd, note=odd, data=b"5")
        book.add_collection(Collection([one], [odd_ones]))
        assert len(book.rows(book.table("submissions").select())) == 5
    for each in found.rejected:
        f"{each.student} {each.path} {each.reason}".encode()


def test_damaged_and_encrypted_members_are_refused(tmp_path):
    whole = bytearray(zipped({"scale.py": "x" * 500}))
    whole[60] ^= 0xFF  # the data no longer has its checksum
    locked = bytearray(zipped({"scale.py": "x"}))
    for at in (6, locked.index(b"PK\x01\x02") + 8):
        locked[at] |= 1
    place(tmp_path, {"ann.zip": bytes(whole), "bob.zip": bytes(locked)})
    said = reasons(collect(tmp_path, [ONE]))
    assert any("cannot be read" in each for each in said)
    assert any("encrypted" in each for each in said)


def test_a_bomb_is_read_no_further_than_a_submission_may_be_long(tmp_path):
    bomb = zipped({"scale.py": b"\0" * (300 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    place(tmp_path, {"eve.zip": bomb, "fay.zip": zipped({"inner.zip": bomb})})
    (found,) = collect(tmp_path, [ONE]).found  # a zip in a zip in a zip is not opened
    assert len(found.data) == MAX_SOURCE + 1


def test_links_and_pipes_among_files_are_refused(tmp_path):
    secret = place(tmp_path / "secret", {"scale.py": "hidden"}) / "scale.py"
    class_ = tmp_path / "class"
    for name in ("ann", "bob", "cleo"):
        (class_ / name).mkdir(parents=True)
    (class_ / "ann" / "scale.py").symlink_to(secret)
    (class_ / "bob" / "ex01_scale").symlink_to(secret.parent)
    os.mkfifo(class_ / "cleo" / "scale.py")
    said = reasons(collect(class_, [ONE]))
    assert any("is a link" in each for each in said)
    assert any("no ordinary file" in each for each in said)


def test_the_number_of_a_copy():
    names = ["scale.py", "scale-3.py", "scale (2).py", "Scale.PY", "rescale.py", "scale_old.py"]
    assert [is_file_name(name, "scale.py") for name in names] == [0, 3, 2, 0, None, None]


def test_names_keep_scripts_and_lose_what_no_database_takes():
    assert sender_of("Ana\u200f מריה\0.zip").identity.key == "Ana\u200f מריה"
    assert sender_of("bad\udcffname").identity.key == "bad\N{REPLACEMENT CHARACTER}name"
    assert sender_of("e\N{COMBINING ACUTE ACCENT}va").identity.key == "éva"


def test_times_from_a_table(tmp_path):
    place(tmp_path / "in", {"ann/scale.py": "1", "bob/scale.py": "2"})
    table = tmp_path / "times.csv"
    table.write_text("student,exercise,submitted_at\nAnn,ex01_scale,2026-03-01T10:00:00+01:00\n")
    found = with_times(collect(tmp_path / "in", [ONE]), table).found
    assert [str(f.submitted_at) for f in found] == ["2026-03-01 10:00:00+01:00", "None"]
    table.write_text("student,submitted_at\nann,yesterday\n")
    with pytest.raises(UsageError, match=r"times\.csv:2"):
        with_times(collect(tmp_path / "in", [ONE]), table)


def test_a_roster_of_canvas(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,HW (5)\n    Points Possible,,,,,10\n"
        "\"O'Neil, Zoë\",77,S1,zoe,01,\n'=cmd,78,S2,eve,01,\n",
        encoding="utf-8-sig",
    )
    assert read_roster(path) == [
        Identity("77", "O'Neil, Zoë", "", "S1", "77", "zoe", "01"),
        Identity("78", "=cmd", "", "S2", "78", "eve", "01"),
    ]
    path.write_text("colour\nred\n")
    with pytest.raises(UsageError, match="names no student"):
        read_roster(path)

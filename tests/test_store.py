"""State on disk: whole after a crash, complete after two writers, careful when it is neither."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from rlgrade.store import NewerState, NotKept, Record, Store, write_whole


class Counts(Record):
    counts: dict[str, int] = msgspec.field(default_factory=dict)


@pytest.fixture
def said():
    return []


@pytest.fixture
def store(tmp_path, said):
    return Store(tmp_path / "state" / "counts.json", Counts, said.append)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store import Counts
from rlgrade.store import Store
store = Store(Path(sys.argv[1]), Counts)
for _ in range(int(sys.argv[3])):
    with store.change() as record:
        record.counts[sys.argv[2]] = record.counts.get(sys.argv[2], 0) + 1
"""


def writer(path, name, times, **options):
    code = WRITER.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", code, path, name, str(times)], **options)


def test_what_was_written_is_read_and_can_be_read_by_a_person(store):
    with store.change() as record:
        record.counts["é"] = 3
    assert store.read().counts == {"é": 3}
    assert store.path.read_text() == '{\n "format": 1,\n "counts": {\n  "é": 3\n }\n}\n'


def test_no_file_is_an_empty_record(store, said):
    assert store.read() == Counts()
    assert not store.path.exists()
    assert said == []


def test_an_exception_leaves_the_file_as_it_was(store):
    with store.change() as record:
        record.counts["a"] = 1
    with pytest.raises(ZeroDivisionError), store.change() as record:
        record.counts["a"] = 1 // 0
    assert store.read().counts == {"a": 1}


def test_three_writers_at_once_lose_nothing(store):
    writers = [writer(store.path, name, 40) for name in ("a", "b", "a")]
    assert [each.wait(60) for each in writers] == [0, 0, 0]
    assert store.read().counts == {"a": 80, "b": 40}
    assert {path.name for path in store.path.parent.iterdir()} <= {
        "counts.json",
        "counts.json.lock",
    }


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(store, said):
    last = 0
    for round_number in range(8):
        child = writer(store.path, "a", 10_000)
        deadline = time.monotonic() + 30
        while store.read().counts.get("a", 0) <= last and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.003 * round_number)
        child.send_signal(signal.SIGKILL)
        child.wait()
        counted = store.read().counts["a"]
        assert counted > last
        last = counted
    assert said == []


@pytest.mark.parametrize(
    "damage", [b"", b'{"format": 1, "coun', b"\xff\xfe", b"[]", b'{"format": 1, "counts": "a"}']
)
def test_a_damaged_file_is_kept_aside_and_said(store, said, damage):
    store.path.parent.mkdir()
    store.path.write_bytes(damage)
    assert store.read() == Counts()
    aside = store.path.with_name("counts.json.damaged")
    assert aside.read_bytes() == damage
    assert len(said) == 1
    assert "kept as counts.json.damaged" in said[0]
    store.path.write_bytes(b"again")
    with store.change() as record:
        record.counts["a"] = 1
    assert store.path.with_name("counts.json.damaged.2").read_bytes() == b"again"
    assert store.read().counts == {"a": 1}


def test_a_newer_file_is_left_as_it_is(store):
    store.path.parent.mkdir()
    store.path.write_text('{"format": 2, "other": true}')
    with pytest.raises(NewerState, match="has format 2, and this rlgrade knows 1"), store.change():
        pass
    with pytest.raises(NewerState):
        store.read()
    assert json.loads(store.path.read_text()) == {"format": 2, "other": True}


def test_a_folder_that_cannot_be_is_said_in_one_sentence(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    store = Store(tmp_path / "state" / "counts.json", Counts)
    assert store.read() == Counts()
    with pytest.raises(NotKept, match="cannot be written: "), store.change():
        pass


def without_rights():
    """Root writes anywhere; take that from the child: PR_CAPBSET_DROP, CAP_DAC_OVERRIDE."""
    ctypes.CDLL(None).prctl(24, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
def test_a_read_only_folder_is_said_in_one_sentence(store):
    with store.change() as record:
        record.counts["a"] = 1
    store.path.parent.chmod(0o555)
    child = writer(store.path, "a", 1, stderr=subprocess.PIPE, preexec_fn=without_rights)
    _, errors = child.communicate()
    store.path.parent.chmod(0o755)
    assert child.returncode == 1
    assert b"NotKept: " in errors
    assert b"cannot be written: " in errors
    assert store.read().counts == {"a": 1}


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_whole(path, b"old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]

"""The same grading on a real Ray cluster of several nodes, one of which is killed in the middle."""

import json
import logging
import random
import subprocess
import time
from dataclasses import replace

import pytest

pytest.importorskip("sqlalchemy")

from test_class_grade import COURSE, KINDS, RLGRADE, SEED, hand_in, timeless

from rlgrade.classroom.cluster import grade_on_ray, packed_course, ray_cluster
from rlgrade.classroom.collect import Collection, Found
from rlgrade.classroom.gradebook import Key, open_gradebook
from rlgrade.classroom.judging import Job, Rules
from rlgrade.classroom.names import Identity
from rlgrade.classroom.pool import grade_on_cores
from rlgrade.classroom.run import grade_class
from rlgrade.courses import Course
from rlgrade.outcome import UsageError

COUNT = 40


def jobs(count):
    exercise = Course(COURSE).find("ex01")
    texts = [*KINDS.values()]
    return [
        Job(Key(str(n), exercise.id, "v", "1", SEED), f"{texts[n % len(texts)]}\n# {n}\n".encode())
        for n in range(count)
    ]


def found(done):
    """What each job got, apart from times."""
    return {d.key.sha256: json.dumps(timeless(d.report), sort_keys=True) for d in done}


@pytest.fixture
def cluster():
    """A head that grades nothing and two nodes of one core each."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rlgrade[cluster]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1, wait=True) for _ in range(2)]
    try:
        yield made, nodes
    finally:
        made.shutdown()


def test_a_packed_course_is_the_same_each_time_and_has_no_right_answers():
    import io
    import zipfile

    packed = packed_course(Course(COURSE))
    assert packed == packed_course(Course(COURSE))
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert "solutions/ex01_scale/checks.py" in names
    assert not [name for name in names if "/right/" in name or "__pycache__" in name]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_killed_node_loses_nothing_and_gives_nothing_twice(cluster, tmp_path):
    made, nodes = cluster
    alone = found(grade_on_cores(Rules(str(COURSE)), jobs(COUNT), 2))
    draw = random.Random(4)
    moment = draw.randrange(4, COUNT // 2)
    done = []
    for result in grade_on_ray(Rules(str(COURSE)), jobs(COUNT), made.address, cpus=1, gpus=0):
        done.append(result)
        if len(done) == moment:
            time.sleep(0.2 * draw.random())
            made.remove_node(nodes[0], allow_graceful=False)
    assert [d.broken for d in done if d.broken] == []
    assert len(done) == len({d.key for d in done}) == COUNT
    assert found(done) == alone


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_class_on_a_cluster_is_stored_like_any_other(cluster, tmp_path):
    made, _ = cluster
    texts = [job.data for job in jobs(12)]
    exercises = Course(COURSE).exercises
    sent = [Found(Identity(f"s{n}"), exercises[0].id, data, "path") for n, data in enumerate(texts)]
    with open_gradebook(str(tmp_path), create=True) as book:
        engine = ray_cluster(made.address, cpus=1, gpus=0)
        run = (book, exercises, Collection(sent), Rules(str(COURSE)), SEED, engine)
        assert grade_class(*run).graded == 12
        assert grade_class(*run).graded == 0
        assert len(book.graded()) == 12


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_on_a_cluster_a_submission_in_the_current_folder_is_no_module(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rlgrade[cluster]'")
    names = ["rlgrade", "zipfile", "socket", "pickle", "ann"]
    hand_in(tmp_path, {name: f"{KINDS['wrong']}\n# {name}\n" for name in names})
    for name in names:
        code = f"open({str(tmp_path / 'loaded')!r}, 'w')\n1 / 0\n"
        (tmp_path / name / "__init__.py").write_text(code)
    done = subprocess.run(
        [RLGRADE, "--course", COURSE, "class", "grade", ".", "--out", "../out", "--ray", "local"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert not (tmp_path / "loaded").exists()
    assert done.returncode == 0, done.stdout
    assert "5 graded" in done.stdout


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_node_with_low_walls_is_refused(cluster):
    made, _ = cluster
    weak = Rules(str(COURSE), highest="L1")
    with pytest.raises(UsageError, match="sandbox level L1"):
        list(grade_on_ray(weak, jobs(2), made.address, cpus=1, gpus=0))
    done = list(grade_on_ray(replace(weak, lowest="L1"), jobs(2), made.address, cpus=1, gpus=0))
    assert [d.report["sandbox"] for d in done] == ["L1", "L1"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_said_to_be():
    pytest.importorskip("ray", reason="ray is not installed: pip install 'rlgrade[cluster]'")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    with pytest.raises(UsageError, match="no Ray cluster"):
        list(grade_on_ray(Rules(str(COURSE)), jobs(1), "auto", cpus=1, gpus=0))

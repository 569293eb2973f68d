"""Grade every right implementation, and every mistake, many times with fresh seeds.

    scripts/soak --runs 200 [--mistakes 20] [--jobs 2] [--properties] [EXERCISE ...]

A right implementation that fails once is a false fail; a mistake that its check lets through is a
miss. Both must be 0. With none in n runs, the chance of one is below 3/n with 95 % confidence.
"""

import argparse
import os
import secrets
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rlgrade.courses import find_course
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server

# Patient: a verdict that only says that the machine was busy says nothing about a check.
QUIET = {"shrink_tries": 0, "diagnose": False, "patience": 20.0, "run_seconds": 600.0}


def grade_right(job: tuple[str, str, int, int, bool]) -> tuple[str, int, list[str]]:
    """Grade one file `runs` times; the exercise, the runs, and what failed."""
    name, path, runs, seed, train = job
    exercise = find_course().find(name)
    data = Path(path).read_bytes()
    checks = frozenset(c.name for c in load_checks(exercise) if train or c.training is None)
    settings = Settings(only=checks, **QUIET)
    failures = []
    with Server() as server:
        for k in range(runs):
            report = grade(exercise, data, server, seed + k, settings=settings)
            failures += [
                f"{name} {Path(path).name} seed {seed + k}: {check.check}: {check.message}"
                for check in report.checks
                if check.outcome.value != "pass"
            ]
    return name, runs, failures


def grade_mistakes(job: tuple[str, int, int]) -> tuple[str, int, list[str]]:
    """Grade every mistake of an exercise by the check that it names, `runs` times each."""
    name, runs, seed = job
    exercise = find_course().find(name)
    missed = []
    with Server() as server:
        for mistake in exercise.mistakes:
            source = exercise.mistaken_source(mistake).encode()
            settings = Settings(only=frozenset({mistake.caught_by}), **QUIET)
            for k in range(runs):
                report = grade(exercise, source, server, seed + k, settings=settings)
                if report.passed:
                    missed.append(f"{name} seed {seed + k}: {mistake.name!r} passed")
    return name, runs * len(exercise.mistakes), missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exercises", nargs="*")
    parser.add_argument("--runs", type=int, default=200, help="of each right file")
    parser.add_argument("--mistakes", type=int, default=0, help="runs of each mistake")
    parser.add_argument("--properties", action="store_true", help="leave training checks out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_intermixed_args()
    course = find_course()
    exercises = [course.find(name) for name in arguments.exercises] or course.exercises
    seed = secrets.randbits(31)
    chunk = max(1, min(arguments.runs, 25))
    train = not arguments.properties
    right = [
        (exercise.id, str(path), min(chunk, arguments.runs - done), seed + done, train)
        for exercise in exercises
        for path in [exercise.solution, *exercise.right]
        for done in range(0, arguments.runs, chunk)
    ]
    wrong = [(e.id, 1, seed + k) for e in exercises for k in range(arguments.mistakes)]
    runs: Counter[str] = Counter()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        print(f"seed {seed}, {len(right)} batches of right files, {len(wrong)} of mistakes")
        for kind, results in (
            ("right", pool.map(grade_right, right)),
            ("mistake", pool.map(grade_mistakes, wrong)),
        ):
            failed = 0
            for name, count, failures in results:
                runs[f"{kind} {name}"] += count
                failed += len(failures)
                print(*failures, sep="\n", end="\n" if failures else "")
                print(f"{kind} {name}: {count} more, {failed} wrong so far", flush=True)
            print(f"{kind}: {failed} wrong verdicts")
    for name, count in sorted(runs.items()):
        print(f"{name}: {count} runs")


if __name__ == "__main__":
    main()

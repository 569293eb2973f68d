"""How often, and how fast, training checks let right code pass and stop wrong code.

    scripts/training right --runs 100 [EXERCISE ...]   each right file, single attempts
    scripts/training wrong --runs 3 [EXERCISE ...]     each known mistake, single attempts
    scripts/training band --runs 40 [EXERCISE ...]     writes bands.json, from all right files

A check makes up to three attempts from independent seeds, so a share p of attempts that fail makes
a share p^3 of checks that fail. `right` prints the count of failed attempts with its upper
95 % bound (Clopper-Pearson), and medians; `wrong` prints which mistakes training sees, which the
property checks see, and which both. `band` writes where the curves of right code lie, which a
learner sees beside the own curve.
"""

import argparse
import json
import os
import secrets
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import beta

from rlgrade.courses import find_course
from rlgrade.judge.grading import Settings, grade, load_checks
from rlgrade.judge.server import Server

BAND_POINTS = 49
ONE_ATTEMPT = {"attempts": 1, "diagnose": False, "shrink_tries": 0, "patience": 5.0}


def attempts_of(job):
    """Single attempts of one file at every training check: (check, learned, seconds, steps)."""
    name, path, seeds = job
    exercise = find_course().find(name)
    data = Path(path).read_bytes()
    settings = Settings(only=training_names(exercise), run_seconds=600.0, **ONE_ATTEMPT)
    found = []
    with Server() as server:
        for seed in seeds:
            for check in grade(exercise, data, server, seed, settings=settings).checks:
                steps = [a["steps"][-1] for a in check.training["attempts"] if a["steps"]]
                passed = check.outcome.value == "pass"
                found.append((check.check, passed, check.seconds, max(steps, default=0)))
                if not passed:
                    print(f"{name} {Path(path).name} seed {seed}: {check.message}", flush=True)
    return name, Path(path).name, found


def curves_of(job):
    """Single attempts of one file that learned: (check, steps, scores)."""
    name, path, seeds = job
    exercise = find_course().find(name)
    data = Path(path).read_bytes()
    settings = Settings(only=training_names(exercise), run_seconds=600.0, **ONE_ATTEMPT)
    found = []
    with Server() as server:
        for seed in seeds:
            for check in grade(exercise, data, server, seed, settings=settings).checks:
                (attempt,) = check.training["attempts"]
                if attempt["learned"]:
                    found.append((check.check, attempt["steps"], attempt["scores"]))
    return found


def band_of(curves):
    """Where nine of ten curves lie; a curve that has reached the goal stays where it ended."""
    arrivals = [steps[-1] for steps, _ in curves]
    grid = np.linspace(0, np.quantile(arrivals, 0.95), BAND_POINTS)
    scores = np.array([np.interp(grid, steps, values) for steps, values in curves])
    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95], axis=0).round(4).tolist()
    arrives = np.quantile(arrivals, [0.05, 0.95], method="nearest").astype(int).tolist()
    return {
        "runs": len(curves),
        "steps": grid.astype(int).tolist(),
        "low": low,
        "middle": middle,
        "high": high,
        "arrives": arrives,
    }


def write_bands(pool, exercises, runs, seed):
    for exercise in exercises:
        files = [exercise.solution, *exercise.right]
        per_file = -(-runs // len(files))
        jobs = [
            (exercise.id, str(path), range(seed + number, seed + number + per_file * 100, 100))
            for number, path in enumerate(files)
        ]
        curves = defaultdict(list)
        for found in pool.map(curves_of, jobs):
            for check, steps, scores in found:
                curves[check].append((steps, scores))
        bands = {check: band_of(found) for check, found in sorted(curves.items())}
        text = ",\n".join(
            f"{json.dumps(check)}: {json.dumps(band)}" for check, band in bands.items()
        )
        (exercise.hidden / "bands.json").write_text(f"{{\n{text}\n}}\n")
        print(exercise.id, {check: band["arrives"] for check, band in bands.items()}, flush=True)


def sight_of(job):
    """Whether training, and whether properties, see one mistake: (name, by training, by both)."""
    name, number, seeds = job
    exercise = find_course().find(name)
    mistake = exercise.mistakes[number]
    data = exercise.mistaken_source(mistake).encode()
    trained = training_names(exercise)
    others = frozenset(c.name for c in load_checks(exercise)) - trained
    stopped = 0
    with Server() as server:
        for seed in seeds:
            settings = Settings(only=trained, **ONE_ATTEMPT)
            report = grade(exercise, data, server, seed, settings=settings)
            stopped += not report.passed
        settings = Settings(only=others, **ONE_ATTEMPT)
        seen = not grade(exercise, data, server, seeds[0], settings=settings).passed
    return name, mistake.name, stopped / len(seeds), seen


def training_names(exercise):
    """The names of an exercise's training checks."""
    return frozenset(check.name for check in load_checks(exercise) if check.training)


def upper_bound(failed, runs):
    """The largest share of failures that so few in so many runs leaves possible, at 95 %."""
    return float(beta.ppf(0.95, failed + 1, runs - failed)) if failed < runs else 1.0


def print_right(pool, exercises, runs, seed):
    jobs = []
    for exercise in exercises:
        for path in [exercise.solution, *exercise.right]:
            for first in range(0, runs, 25):
                seeds = range(seed + first, seed + min(first + 25, runs))
                jobs.append((exercise.id, str(path), seeds))
    found = defaultdict(list)
    for name, file, results in pool.map(attempts_of, jobs):
        for check, *result in results:
            found[name, check, file].append(result)
    print("exercise, check, file: failed/attempts (bound), seconds median/p99, steps median/max")
    for (name, check, file), results in sorted(found.items()):
        passed, seconds, steps = map(np.array, zip(*results, strict=True))
        failed = int((~passed).sum())
        bound = upper_bound(failed, len(passed))
        print(
            f"{name} {check} {file}: {failed}/{len(passed)} (<{bound:.4f})"
            f"  {np.median(seconds):.2f}/{np.quantile(seconds, 0.99):.2f} s"
            f"  {int(np.median(steps)):,}/{int(steps.max()):,}"
        )


def print_wrong(pool, exercises, runs, seed):
    seeds = range(seed, seed + runs)
    jobs = [(e.id, number, seeds) for e in exercises for number in range(len(e.mistakes))]
    totals = defaultdict(lambda: [0, 0, 0, 0])
    for name, mistake, stopped, seen in pool.map(sight_of, jobs):
        total = totals[name]
        total[0] += 1
        total[1] += stopped == 1.0
        total[2] += seen
        total[3] += seen or stopped == 1.0
        print(f"{name} | {mistake} | training {stopped:.0%} | properties {'yes' if seen else 'NO'}")
    for name, (every, trained, properties, either) in totals.items():
        print(f"{name}: {every} mistakes, training {trained}, properties {properties}, {either}")


RUN = {"right": print_right, "wrong": print_wrong, "band": write_bands}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=RUN)
    parser.add_argument("exercises", nargs="*")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_intermixed_args()
    course = find_course()
    chosen = [course.find(name) for name in arguments.exercises] or course.exercises
    exercises = [exercise for exercise in chosen if training_names(exercise)]
    seed = secrets.randbits(30)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        RUN[arguments.which](pool, exercises, arguments.runs, seed)


if __name__ == "__main__":
    main()

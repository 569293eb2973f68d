"""How often, and how fast, training checks let right code pass and stop wrong code.

    scripts/training right --runs 100 [--bands] [EXERCISE ...]  each right file, single attempts
    scripts/training wrong --runs 3 [EXERCISE ...]              each known mistake, single attempts

A check makes up to three attempts from independent seeds, so a share p of attempts that fail makes
a share p^3 of checks that fail. `right` prints the count of failed attempts with its upper
95 % bound (Clopper-Pearson), and medians; `wrong` prints which mistakes training sees, which the
property checks see, and which both. `--bands` writes where the curves of right code lie, which a
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
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server
from rlgrade.outcome import Outcome

BAND_POINTS = 49
ONE_ATTEMPT = {"attempts": 1, "diagnose": False, "shrink_tries": 0, "patience": 5.0}


def attempts_of(job):
    """Single attempts of one file at every training check: (check, learned, seconds, curve)."""
    name, path, seeds = job
    exercise = find_course().find(name)
    data = Path(path).read_bytes()
    settings = Settings(only=training_names(exercise), run_seconds=600.0, **ONE_ATTEMPT)
    found = []
    with Server() as server:
        for seed in seeds:
            for check in grade(exercise, data, server, seed, settings=settings).checks:
                passed = check.outcome is Outcome.PASS
                if not passed:
                    print(f"{name} {Path(path).name} seed {seed}: {check.message}", flush=True)
                if passed or check.outcome in (Outcome.FAIL, Outcome.ERROR):
                    (curve,) = check.training["attempts"]
                    found.append((check.check, passed, check.seconds, curve))
    return name, Path(path).name, found


def band_of(curves):
    """Where nine of ten curves lie; a curve that has reached the goal stays where it ended."""
    arrivals = [steps[-1] for steps, _ in curves]
    begin = min(steps[0] for steps, _ in curves)
    grid = np.unique(np.linspace(begin, np.quantile(arrivals, 0.95), BAND_POINTS).round())
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


def write_bands(curves):
    """Write bands.json of each exercise; `curves` are by exercise and check."""
    bands = defaultdict(dict)
    for (name, check), found in sorted(curves.items()):
        bands[name][check] = band_of(found)
    for name, checks in bands.items():
        text = ",\n".join(
            f"{json.dumps(check)}: {json.dumps(band)}" for check, band in checks.items()
        )
        (find_course().find(name).hidden / "bands.json").write_text(f"{{\n{text}\n}}\n")


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
            stopped += is_caught(grade(exercise, data, server, seed, settings=settings))
        settings = Settings(only=others, **ONE_ATTEMPT)
        seen = is_caught(grade(exercise, data, server, seeds[0], settings=settings))
    return name, mistake.name, stopped / len(seeds), seen


def is_caught(report):
    """Whether a check has failed; one that a busy machine left undecided says nothing."""
    return any(check.outcome in (Outcome.FAIL, Outcome.ERROR) for check in report.checks)


def training_names(exercise):
    """The names of an exercise's training checks."""
    return frozenset(check.name for check in load_checks(exercise) if check.training)


def upper_bound(failed, runs):
    """The largest share of failures that so few in so many runs leaves possible, at 95 %."""
    return float(beta.ppf(0.95, failed + 1, runs - failed)) if failed < runs else 1.0


def print_right(pool, exercises, runs, seed, bands=False):
    jobs = []
    for exercise in exercises:
        for path in [exercise.solution, *exercise.right]:
            for first in range(0, runs, 25):
                seeds = range(seed + first, seed + min(first + 25, runs))
                jobs.append((exercise.id, str(path), seeds))
    found, curves = defaultdict(list), defaultdict(list)
    for name, file, results in pool.map(attempts_of, jobs):
        for check, passed, seconds, curve in results:
            found[name, check, file].append((passed, seconds, max(curve["steps"], default=0)))
            if passed:
                curves[name, check].append((curve["steps"], curve["scores"]))
        print(f"  {name} {file}: {len(results)} decided", flush=True)
    if bands:
        write_bands(curves)
    print("exercise, check, file: failed/attempts (bound), seconds median/p99, steps median/max")
    for (name, check, _), results in list(found.items()):
        found[name, check, "all"] += results
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("right", "wrong"))
    parser.add_argument("exercises", nargs="*")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--bands", action="store_true", help="write bands.json of each exercise")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_intermixed_args()
    course = find_course()
    chosen = [course.find(name) for name in arguments.exercises] or course.exercises
    exercises = [exercise for exercise in chosen if training_names(exercise)]
    seed = secrets.randbits(30)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        if arguments.which == "right":
            print_right(pool, exercises, arguments.runs, seed, arguments.bands)
        else:
            print_wrong(pool, exercises, arguments.runs, seed)


if __name__ == "__main__":
    main()

"""Time to verdict of ex07's solution, beside the same PPO without a channel and beside a library.

    scripts/bench-training [--seeds 10] [--library]

All are measured in one run, in turn, on one thread, until 100 fresh episodes of CartPole-v1 have a
mean return of 475; the times are without imports. `--library` adds Stable-Baselines3's PPO with the
settings that its zoo was tuned to and with CleanRL's defaults, evaluated at every rollout by the
same evaluation (the time of which is not counted); it is installed for this benchmark only. CleanRL
itself is no library: what PyPI has of it is scripts for an older Gym.
"""

import argparse
import statistics
import time
from importlib import util

import numpy as np
import torch

from rlgrade.courses import find_course
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.server import Server
from rlgrade.trainer.cartpole import CartPoles, Relabelling, evaluate
from rlgrade.worker import tools

GOAL, PROMISING, BUDGET = 475.0, 400.0, 100_000
LIBRARY_BUDGET = 500_000
TUNED = {
    "envs": 8,
    "n_steps": 32,
    "batch_size": 256,
    "gae_lambda": 0.8,
    "gamma": 0.98,
    "n_epochs": 20,
    "ent_coef": 0.0,
    "learning_rate": lambda rest: 1e-3 * rest,
    "clip_range": lambda rest: 0.2 * rest,
    "steps": BUDGET,
}
CLEANRL = {
    "envs": 4,
    "n_steps": 128,
    "batch_size": 128,
    "gae_lambda": 0.95,
    "gamma": 0.99,
    "n_epochs": 4,
    "ent_coef": 0.01,
    "clip_range_vf": 0.2,
    "learning_rate": lambda rest: 2.5e-4 * rest,
    "clip_range": 0.2,
    "steps": LIBRARY_BUDGET,
}
LIBRARY = {"SB3, tuned": TUNED, "SB3, CleanRL's defaults": CLEANRL}


class Environments:
    """Poles without a channel, with the face that the learner's loop sees."""

    def __init__(self, poles):
        self.poles = poles
        self.num_envs = poles.count

    def reset(self):
        return self.poles.reset(), {}

    def step(self, actions):
        shown, rewards, terminated, truncated, final = self.poles.step(np.asarray(actions))
        ended = {} if final is None else {"final_obs": final, "_final_obs": terminated | truncated}
        return shown, rewards, terminated, truncated, ended


def in_one_process(ppo, seed):
    """Seconds until the goal, of the solution called directly."""
    random = np.random.default_rng(seed)
    relabelling = Relabelling(random)
    poles = CartPoles(8, relabelling, seed, BUDGET)
    torch.manual_seed(seed)
    policy = tools.policy_and_value(4, 2, 64)
    solved = 0.0

    @torch.no_grad()
    def logits(observations):
        return policy(torch.from_numpy(observations))[0].numpy()

    def on_update(diagnostics):
        nonlocal solved
        if poles.mean_return >= PROMISING:
            solved = evaluate(logits, relabelling, random)
        return solved < GOAL

    start = time.perf_counter()
    ppo.train_ppo(
        Environments(poles),
        policy,
        tools.adam(policy, 1e-2),
        total_steps=BUDGET,
        on_update=on_update,
        generator=torch.Generator().manual_seed(seed),
    )
    return time.perf_counter() - start, solved >= GOAL


def through_the_channel(exercise, server, seed):
    """Seconds to the verdict, of the same solution in a worker."""
    settings = Settings(only=frozenset({"solves_cartpole"}), attempts=1, patience=5.0)
    report = grade(exercise, exercise.solution.read_bytes(), server, seed, settings=settings)
    return report.checks[0].seconds, report.passed


def by_a_library(seed, settings):
    """Seconds that Stable-Baselines3's PPO trains until the goal, without evaluation."""
    settings = dict(settings)
    envs, steps = settings.pop("envs"), settings.pop("steps")
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    class Plain(Relabelling):
        def __init__(self):
            self.order, self.factors, self.swapped = np.arange(4), np.ones(4), False

    random = np.random.default_rng(seed)

    class UntilSolved(BaseCallback):
        seconds_evaluating, solved = 0.0, False

        def _on_rollout_start(self):
            returns = [episode["r"] for episode in self.model.ep_info_buffer]
            if returns and np.mean(returns[-20:]) >= PROMISING:
                start = time.perf_counter()
                self.solved = evaluate(self.logits, Plain(), random) >= GOAL
                self.seconds_evaluating += time.perf_counter() - start

        @torch.no_grad()
        def logits(self, observations):
            distribution = self.model.policy.get_distribution(torch.from_numpy(observations))
            return distribution.distribution.logits.numpy()

        def _on_step(self):
            return not self.solved

    model = PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", n_envs=envs, seed=seed),
        seed=seed,
        device="cpu",
        **settings,
    )
    callback = UntilSolved()
    start = time.perf_counter()
    model.learn(steps, callback=callback)
    return time.perf_counter() - start - callback.seconds_evaluating, callback.solved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--library", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    exercise = find_course().find("ex07")
    spec = util.spec_from_file_location("ppo", exercise.solution)
    ppo = util.module_from_spec(spec)
    spec.loader.exec_module(ppo)
    library = LIBRARY if arguments.library else {}
    rows = {name: [] for name in ("one process", "channel", *library)}
    with Server(hidden=[exercise.course_root]) as server:
        through_the_channel(exercise, server, 0)  # imports
        for seed in range(1, arguments.seeds + 1):
            rows["one process"].append(in_one_process(ppo, seed))
            rows["channel"].append(through_the_channel(exercise, server, seed))
            for name, settings in library.items():
                rows[name].append(by_a_library(seed, settings))
    base = statistics.median(seconds for seconds, _ in rows["one process"])
    for name, results in rows.items():
        seconds = sorted(seconds for seconds, _ in results)
        solved = sum(solved for _, solved in results)
        median = statistics.median(seconds)
        print(
            f"{name:23} median {median:.2f} s ({median / base:.1f}x), "
            f"{seconds[0]:.2f} to {seconds[-1]:.2f} s, solved {solved} of {len(results)}"
        )


if __name__ == "__main__":
    main()

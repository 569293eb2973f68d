"""Training checks: how they are decided, what is lent, and what the judge trains with."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from rlgrade.author import Attempt, Refused, check, training
from rlgrade.author.expect import SubmissionRaised, Unmet
from rlgrade.author.training import Curve, Goal, symptom
from rlgrade.judge.calls import Submission
from rlgrade.judge.link import Link
from rlgrade.judge.server import Server
from rlgrade.judge.training import run_training
from rlgrade.judge.worker import WorkerGone
from rlgrade.outcome import Outcome
from rlgrade.sparkline import sparkline
from rlgrade.trainer import gridworld, language_model
from rlgrade.trainer.cartpole import CartPoles, Relabelling, evaluate
from rlgrade.trainer.remote import remote_loss

CODE = """
import torch

def echo(value):
    return value

def call(function, value):
    return function(value)

def steps(envs, count):
    shown, _ = envs.reset()
    seen = [shown]
    for _ in range(count):
        shown, rewards, terminated, truncated, infos = envs.step(torch.zeros(3, dtype=torch.int64))
        seen.append(shown)
    return torch.tensor(seen[-1]), type(envs).__mro__[1].__name__, envs.num_envs

def bad_action(envs):
    envs.reset()
    try:
        envs.step([5, 0, 0])
    except ValueError as error:
        return str(error)

def unbegun(envs):
    try:
        envs.step(torch.zeros(3, dtype=torch.int64))
    except ValueError as error:
        return str(error)

def square_loss(x, target):
    return ((x - target) ** 2).sum()

def hang():
    while True:
        pass
"""


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def link(server):
    link = Link(server, "code.py", CODE, 30.0).load()
    link.deadline = time.monotonic() + 60.0
    yield link
    link.close()


def decide(body, link, *, attempts=3, seconds=60.0, alive_by=None, points=None):
    trained = training(
        goal=10.0, null=0.0, unit="score", budget=100, alive_by=alive_by, attempts=attempts
    )(body)
    declared = check("learns")(trained)
    return run_training(
        declared,
        trained,
        lambda: link,
        seed=7,
        attempts=attempts,
        seconds=seconds,
        device="cpu",
        on_point=(lambda verdict: points.append(verdict.as_plain()))
        if points is not None
        else print,
    )


class TestDecision:
    def test_an_attempt_that_learns_is_enough(self, link):
        seeds = []

        def body(submission, attempt: Attempt):
            seeds.append(attempt.seed)
            attempt.point(1, 3.0)
            if len(seeds) < 2:
                raise attempt.not_learned(3.0)

        verdict = decide(body, link)
        assert verdict.outcome is Outcome.PASS
        assert len(set(seeds)) == 2
        assert [curve.learned for curve in verdict.curves] == [False, True]

    def test_three_that_do_not_are_a_failure(self, link):
        def body(submission, attempt):
            attempt.point(50, 1.0)
            attempt.point(100, 0.5)
            raise attempt.not_learned(0.5)

        verdict = decide(body, link)
        assert verdict.outcome is Outcome.FAIL
        assert len(verdict.curves) == 3
        assert "in 3 attempts the score never came to 10: the best reached 1" in verdict.message

    def test_the_seeds_are_those_of_the_run(self, link):
        def body(submission, attempt):
            raise attempt.not_learned(0.0)

        one, other = decide(body, link), decide(body, link)
        assert [c.seed for c in one.curves] == [c.seed for c in other.curves]

    def test_time_that_runs_out_decides_nothing(self, link):
        def body(submission, attempt):
            for step in itertools.count():
                time.sleep(0.01)
                attempt.point(step, 5.0)

        verdict = decide(body, link, seconds=0.2)
        assert verdict.outcome is Outcome.UNCERTAIN
        assert "attempt 1 of 3" in verdict.message

    def test_a_hopeless_curve_ends_its_attempt(self, link):
        steps = []

        def body(submission, attempt):
            for step in range(0, 101, 10):
                steps.append(step)
                attempt.point(step, 0.1)
            raise attempt.not_learned(0.1)

        assert decide(body, link, attempts=1, alive_by=(40, 1.0)).outcome is Outcome.FAIL
        assert steps[-1] == 40

    def test_an_update_without_training_is_refused(self, link):
        def body(submission, attempt):
            attempt.point(10, 1.0)
            attempt.point(10, 9.9)  # evaluated again, until luck comes

        with pytest.raises(Unmet, match="nothing was trained on since step 10"):
            decide(body, link)

    def test_what_no_seed_could_mend_ends_the_check(self, link):
        attempts = []

        def body(submission, attempt):
            attempts.append(attempt)
            raise Unmet("advantages should have shape [3]")

        with pytest.raises(Unmet, match="shape"):
            decide(body, link)
        assert len(attempts) == 1

    def test_silence_is_a_timeout(self, link, monkeypatch):
        monkeypatch.setattr("rlgrade.judge.training.SILENCE_SECONDS", 0.5)

        def body(submission, attempt):
            submission.hang()

        with pytest.raises(WorkerGone) as gone:
            decide(body, link)
        assert gone.value.outcome is Outcome.TIMEOUT

    def test_points_are_told_as_they_come(self, link):
        points: list[dict[str, object]] = []

        def body(submission, attempt):
            attempt.point(10, 2.0, kl=float("nan"))
            attempt.point(20, 11.0, kl=0.5)

        decide(body, link, points=points)
        assert [len(p["attempts"][0]["steps"]) for p in points] == [0, 1, 2]  # type: ignore[index]
        assert points[-1]["attempts"][0]["signals"] == {"kl": [None, 0.5]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("scores", "signals", "expected"),
    [
        ([0.1, 0.0, 0.2], {}, "flat"),
        ([-1.0, -5.0, -6.0], {}, "worse"),
        ([1.0, 7.0, 8.0, 1.0, 0.5], {}, "collapse"),
        ([1.0, 7.0, 8.0, 1.0, 0.5], {"kl": [0, 1, 5, 30, 40]}, "KL blown up"),
        ([1.0, 3.0, 5.0], {}, "slow"),
        ([1.0, float("nan")], {}, "not finite"),
        ([1.0, 1.5, 2.0], {"entropy": [0.9, 0.1, 0.01]}, "entropy gone"),
        ([1.0, 1.5, 2.0], {"explained_variance": [0.0, 0.0, 0.01]}, "critic not learning"),
    ],
)
def test_symptoms(scores, signals, expected):
    curve = Curve(0, list(range(len(scores))), scores, signals)
    assert symptom(curve, Goal(10.0, 0.0, "score", 100)) == expected


def test_a_check_says_how_far_is_too_far():
    curve = Curve(0, [0, 1], [1.0, 9.0], {"kl": [1.0, 4.0]})
    assert symptom(curve, Goal(10.0, 0.0, "score", 100)) == "slow"
    assert symptom(curve, Goal(10.0, 0.0, "score", 100, kl_bound=3.0)) == "KL blown up"


class TestLending:
    def test_a_function_is_called_here(self, link):
        heard = []
        lent = Submission(link).lend_function(lambda value: heard.append(value) or 2 * value)
        answer = Submission(link).call(lent, np.arange(3.0, dtype=np.float32))
        assert answer.tolist() == [0.0, 2.0, 4.0]
        assert heard[0].tolist() == [0.0, 1.0, 2.0]

    def test_the_submission_can_be_called_while_it_waits(self, link):
        submission = Submission(link)
        lent = submission.lend_function(lambda value: submission.echo(value + 1))
        assert submission.call(lent, 4) == 5
        assert submission.echo("still in order") == "still in order"

    def test_a_refusal_is_a_value_error_there(self, link):
        def refuse(value):
            raise Refused("not this")

        submission = Submission(link)
        with pytest.raises(SubmissionRaised, match="ValueError: not this"):
            submission.call(submission.lend_function(refuse), 1)

    def test_environments_look_like_gymnasiums(self, link):
        poles = CartPoles(3, Relabelling(np.random.default_rng(0)), seed=0)
        submission = Submission(link)
        shown, base, count = submission.steps(submission.lend_environments(poles), 30)
        assert shown.shape == (3, 4)
        assert (base, count) == ("VectorEnv", 3)
        assert poles.steps == 90

    def test_what_environments_refuse(self, link):
        def poles(**more):
            made = CartPoles(3, Relabelling(np.random.default_rng(0)), seed=0, **more)
            return Submission(link).lend_environments(made)

        assert "0 or 1" in Submission(link).bad_action(poles())
        assert "reset" in Submission(link).unbegun(poles())
        with pytest.raises(SubmissionRaised, match="the budget of 10 steps is spent"):
            Submission(link).steps(poles(budget=10), 4)

    def test_what_was_taken_back_cannot_be_asked(self, link):
        submission = Submission(link)
        lent = submission.lend_function(lambda value: value)
        link.take_back()
        with pytest.raises(WorkerGone, match="not lent"):
            submission.call(lent, 1)


class TestCartPole:
    def test_moves_as_gymnasiums_own(self):
        class Plain(Relabelling):
            def __init__(self):
                self.order, self.factors, self.swapped = np.arange(4), np.ones(4), False

        poles = CartPoles(2, Plain(), seed=3)
        poles.reset()
        single = gymnasium.make("CartPole-v1").unwrapped
        single.reset()
        random = np.random.default_rng(0)
        state = poles._poles.state[:, 0].copy()
        for _ in range(300):
            action = int(random.integers(2))
            single.state, single.steps_beyond_terminated = state, None
            expected, _, terminated, _, _ = single.step(action)
            shown, rewards, ended, _, final = poles.step(np.array([action, 0]))
            np.testing.assert_allclose(
                final[0] if terminated else shown[0], expected, rtol=1e-5, atol=1e-6
            )
            assert ended[0] == terminated
            assert rewards.tolist() == [1.0, 1.0]
            state = poles._poles.state[:, 0].copy()

    def test_an_end_shows_the_first_observation_of_the_next_episode(self):
        poles = CartPoles(4, Relabelling(np.random.default_rng(1)), seed=1)
        poles.reset()
        for _ in range(100):
            shown, _, terminated, _, final = poles.step(np.zeros(4, dtype=np.int64))
            if terminated.any():
                assert np.abs(shown[terminated]).max() < 0.1
                assert np.abs(final[terminated]).max() > 0.1
                assert not final[~terminated].any()
        assert len(poles.finished) > 10
        assert 8 <= poles.mean_return <= 12

    def test_a_controller_written_for_the_usual_names_fails(self):
        def known(observations):
            push = 3 * observations[:, 2] + observations[:, 3] + 0.1 * observations[:, 1]
            return np.stack([-50 * push, 50 * push], axis=1)

        class Plain(Relabelling):
            def __init__(self):
                self.order, self.factors, self.swapped = np.arange(4), np.ones(4), False

        assert evaluate(known, Plain(), np.random.default_rng(0)) > 475
        scores = []
        for seed in range(60):
            random = np.random.default_rng(seed)
            scores.append(evaluate(known, Relabelling(random), random, episodes=20))
        assert np.median(scores) < 60
        # 1 in 48 relabellings leaves all that the controller looks at where it was, or swaps two.
        assert np.mean(np.array(scores) > 475) < 0.15

    def test_a_policy_that_never_learns(self):
        def idle(observations):
            return np.zeros((len(observations), 2))

        random = np.random.default_rng(0)
        assert 18 < evaluate(idle, Relabelling(random), random) < 27


class TestGridWorld:
    def test_is_a_gymnasium_environment(self):
        gridworld.register()
        gridworld.register()
        environment = gymnasium.make(gridworld.NAME).unwrapped
        check_env(environment, skip_render_check=True)

    def test_the_shortest_way_returns_95(self):
        gridworld.register()
        environment = gymnasium.make(gridworld.NAME)
        cell, _ = environment.reset()
        total = 0.0
        for action in (1, 1, 1, 2, 2, 2):
            cell, reward, terminated, truncated, _ = environment.step(action)
            total += reward
        assert cell == 15
        assert terminated
        assert not truncated
        assert total == pytest.approx(gridworld.BEST_RETURN)

    def test_the_expected_return_is_that_of_many_episodes(self):
        world = gridworld.grid_world()
        random = np.random.default_rng(0)
        policy = random.dirichlet(np.ones(4), size=16)

        def choose(states):
            return np.array([random.choice(4, p=policy[s]) for s in states])

        seen = gridworld.roll_out(world, choose, 4_000, random)
        sampled = seen.rewards.sum(axis=1)
        error = sampled.std() / np.sqrt(len(sampled))
        assert abs(sampled.mean() - world.expected_return(policy)) < 5 * error

    def test_the_best_chance_of_a_probe(self):
        world = gridworld.probes()["two steps, the second pays for what the first chose"]
        policy = np.array([[0.1, 0.9], [0.5, 0.5], [0.5, 0.5]])
        assert world.chance_of_best(policy) == pytest.approx(0.9)
        assert world.expected_return(policy) == pytest.approx(0.9)


class TestLanguageModel:
    def test_a_sampled_token_has_the_probability_it_was_sampled_with(self):
        model = language_model.warmed_up(0, steps=2)
        generator = torch.Generator().manual_seed(0)
        prompts = language_model.draw_prompts(1, generator).expand(4_000, -1)
        tokens = model.sample(prompts, generator)
        with torch.no_grad():
            expected = model(prompts[:1])[0, -1].softmax(dim=-1)
        found = torch.bincount(tokens[:, 5], minlength=16) / len(tokens)
        assert (found - expected).abs().max() < 0.04

    def test_sampling_step_by_step_sees_the_whole_prefix(self):
        model = language_model.warmed_up(1, steps=20)
        generator = torch.Generator().manual_seed(1)
        tokens = language_model.draw_prompts(3, generator)
        with torch.no_grad():
            caches = [language_model.Cache() for _ in model.blocks]
            parts = [model.hidden(tokens[:, :2], caches, 0)]
            parts += [model.hidden(tokens[:, at : at + 1], caches, at) for at in range(2, 5)]
            whole = model.hidden(tokens)
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)

    def test_scores_and_mask(self):
        right = [5, 6, 7, 8, 14, 8, 7, 6, 5, 1, 0, 0, 0]
        no_end = [5, 6, 7, 8, 14, 8, 7, 6, 5, 5, 5, 5, 5]
        empty = [5, 6, 7, 8, 14, 1, 0, 0, 0, 0, 0, 0, 0]
        tokens = torch.tensor([right, no_end, empty])
        assert language_model.scores(tokens).tolist() == pytest.approx([1.0, 0.8, 0.0])
        assert language_model.response_mask(tokens).sum(dim=1).tolist() == [5, 8, 1]

    def test_held_out_prompts_are_never_trained_on(self):
        generator = torch.Generator().manual_seed(0)
        for held_out in (True, False):
            prompts = language_model.draw_prompts(500, generator, held_out=held_out)
            sums = (prompts[:, :4] - language_model.FIRST_DIGIT).sum(dim=1)
            assert ((sums % 5 == 0) == held_out).all()
            assert prompts[:, :4].min() >= 2
            assert prompts[:, :4].max() <= 11


class TestRemoteLoss:
    def test_gradients_are_those_of_the_submission(self, link):
        x = torch.tensor([1.0, -2.0], requires_grad=True)
        target = torch.tensor([0.5, 0.5])
        loss = remote_loss(Submission(link).square_loss, {"x": 3 * x}, target=target)
        (gradient,) = torch.autograd.grad(2 * loss, [x])
        own = ((3 * x - target) ** 2).sum()
        (expected,) = torch.autograd.grad(2 * own, [x])
        assert loss.item() == pytest.approx(own.item())
        torch.testing.assert_close(gradient, expected)

    def test_what_is_no_loss(self, link):
        x = torch.ones(2, requires_grad=True)
        with pytest.raises(Unmet, match="scalar"):
            remote_loss(Submission(link).echo, {"value": x})


def test_sparkline():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 0, 8) == "▁▂▃▄▅▆▇██"
    assert sparkline([0.0, float("nan"), 8.0], 0, 8, ascii_only=True) == "_?@"
    assert sparkline([], 0, 1) == ""
    assert len(sparkline(list(range(1000)), 0, 1000)) == 24


def test_the_course_needs_no_torch_to_list_its_training_checks():
    import subprocess
    import sys

    code = (
        "import sys; from rlgrade.courses import find_course; "
        "from rlgrade.judge.loading import load_checks; "
        "[load_checks(e) for e in find_course().exercises]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)


def test_two_attempts_must_learn_where_luck_can_be_had(link):
    def decided(outcomes):
        rest = iter(outcomes)

        def body(submission, attempt):
            attempt.point(1, 5.0)
            if not next(rest):
                raise attempt.not_learned(5.0)

        trained = training(goal=10.0, null=0.0, unit="score", budget=100, wins=2)(body)
        return run_training(
            check("learns")(trained),
            trained,
            lambda: link,
            seed=0,
            attempts=3,
            seconds=60.0,
            device="cpu",
        )

    assert decided([True, False, True]).outcome is Outcome.PASS
    assert decided([True, False, False]).message.startswith("in 2 of 3 attempts the score never")
    assert decided([False, False]).outcome is Outcome.FAIL

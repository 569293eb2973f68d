"""What has not learned does not solve CartPole: each cheat fails the training check of ex07.

Every cheat is the solution with another `train_ppo`. Two of them would solve Gymnasium's own
CartPole, which is shown here first.
"""

from __future__ import annotations

import numpy as np
import pytest

from rlgrade.courses import find_course
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.loading import load_checks
from rlgrade.judge.server import Server
from rlgrade.outcome import Outcome
from rlgrade.trainer.cartpole import CartPoles, Relabelling, evaluate

RANDOM_AT_MOST = 60.0  # mean return of 20 episodes; a policy that acts at random has about 22
BALANCING = np.array([[0.0, 0.0], [0.0, 0.0], [-40.0, 40.0], [-40.0, 40.0]])  # against the fall

HEAD = """

def train_ppo(envs, policy, optimizer, *, total_steps, steps=128, on_update, generator):
    observations = torch.tensor(envs.reset()[0])
    for taken in range(1, total_steps // (envs.num_envs * steps) + 1):
"""

NULL = (
    HEAD
    + """        for _ in range(steps):
            envs.step(torch.randint(2, (envs.num_envs,), generator=generator).numpy())
        on_update({"loss": 0.0, "approximate_kl": 0.0, "clip_fraction": 0.0})
"""
)

FROZEN = (
    HEAD
    + """        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        copy = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
        diagnostics = ppo_update(policy, optimizer, rollout, generator=generator)
        policy.load_state_dict(copy)
        if not on_update(diagnostics):
            break
"""
)

CONTROLLER = (
    HEAD
    + """        policy.forward = lambda o: (o @ BALANCING, torch.zeros(o.shape[:-1]))
        with torch.no_grad():  # tanh(x / 100) is nearly x / 100
            policy.policy[0].weight.zero_()
            policy.policy[0].bias.zero_()
            policy.policy[0].weight[:4] = torch.eye(4) / 100
            policy.policy[2].weight.zero_()
            policy.policy[2].bias.zero_()
            policy.policy[2].weight[:, :4] = BALANCING.T * 100
        _, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        if not on_update({}):
            break
"""
)

CHECKPOINT = (
    HEAD
    + """        policy.load_state_dict({k: torch.tensor(rows) for k, rows in TRAINED.items()})
        _, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        if not on_update({}):
            break
"""
)


IMPATIENT = (
    HEAD
    + """        rollout, observations = collect_rollout(
            envs, policy, observations, steps=steps, generator=generator
        )
        diagnostics = ppo_update(policy, optimizer, rollout, generator=generator)
        while on_update(diagnostics):
            pass
        return
"""
)


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def exercise():
    return find_course().find("ex07")


def graded(exercise, server, more: str):
    """The training check on the solution with more source after it; one attempt."""
    settings = Settings(
        diagnose=False, attempts=1, patience=10.0, only=frozenset({"solves_cartpole"})
    )
    source = exercise.solution.read_bytes() + more.encode()
    (result,) = grade(exercise, source, server, 1, settings=settings).checks
    return result


def expect_random(result) -> None:
    """It failed, and all along its curve it scored as a random policy does."""
    assert result.outcome is Outcome.FAIL, result.message
    (attempt,) = result.training["attempts"]
    assert len(attempt["scores"]) > 20
    assert max(attempt["scores"]) < RANDOM_AT_MOST


def plain_labels() -> Relabelling:
    """CartPole as Gymnasium has it."""
    labels = Relabelling(np.random.default_rng(0))
    labels.order, labels.factors, labels.swapped = np.arange(4), np.ones(4), False
    return labels


def trained_on_plain_cartpole(solution) -> dict[str, list]:
    """Weights of a policy that the solution has trained, in this process."""
    import torch

    from rlgrade.worker.tools import adam, policy_and_value

    torch.set_num_threads(1)  # more of them wait for one another at these sizes
    functions: dict = {"__name__": "ppo"}
    exec(compile(solution.read_text(encoding="utf-8"), "ppo.py", "exec"), functions)
    torch.manual_seed(0)
    poles, policy = CartPoles(8, plain_labels(), 0, 100_000), policy_and_value(4, 2, 64)
    functions["train_ppo"](
        _Local(poles),
        policy,
        adam(policy, 1e-2),
        total_steps=100_000,
        on_update=lambda _: poles.mean_return < 470.0,
        generator=torch.Generator().manual_seed(0),
    )
    return {name: tensor.tolist() for name, tensor in policy.state_dict().items()}


class _Local:
    """CartPoles as a vector environment, without a channel."""

    def __init__(self, poles: CartPoles) -> None:
        self.poles = poles
        self.num_envs = poles.count

    def reset(self):
        return self.poles.reset(), {}

    def step(self, actions):
        *four, final = self.poles.step(actions)
        infos = {} if final is None else {"final_obs": final, "_final_obs": four[2] | four[3]}
        return *four, infos


def test_the_solution_learns(exercise, server):
    assert graded(exercise, server, "").outcome is Outcome.PASS


def test_to_be_evaluated_again_and_again_fails(exercise, server):
    result = graded(exercise, server, IMPATIENT)
    assert result.outcome is Outcome.FAIL
    assert "nothing was trained on since step 1,024" in result.message


def test_the_points_of_cartpole_need_the_loop_to_be_right(exercise):
    (solving,) = [c for c in load_checks(exercise) if c.name == "solves_cartpole"]
    assert solving.needs == "tells_of_each_update"


def test_acting_at_random_fails(exercise, server):
    expect_random(graded(exercise, server, NULL))


def test_a_frozen_policy_fails(exercise, server):
    expect_random(graded(exercise, server, FROZEN))


def test_a_written_controller_fails(exercise, server):
    def controller(observations):
        return observations @ BALANCING

    assert evaluate(controller, plain_labels(), np.random.default_rng(0)) > 150
    more = f"\n\nBALANCING = torch.tensor({BALANCING.tolist()})\n"
    expect_random(graded(exercise, server, more + CONTROLLER))


def test_a_cached_checkpoint_fails(exercise, server):
    weights = trained_on_plain_cartpole(exercise.solution)
    arrays = {name: np.array(rows) for name, rows in weights.items()}

    def policy(observations):
        hidden = np.tanh(observations @ arrays["policy.0.weight"].T + arrays["policy.0.bias"])
        return hidden @ arrays["policy.2.weight"].T + arrays["policy.2.bias"]

    assert evaluate(policy, plain_labels(), np.random.default_rng(0)) > 450
    expect_random(graded(exercise, server, f"\n\nTRAINED = {weights!r}\n" + CHECKPOINT))

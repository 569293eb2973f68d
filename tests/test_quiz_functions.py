"""Where the bank and an exercise compute the same number, they agree: keys follow the course."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from rlgrade.courses import find_course
from rlgrade.quiz.bank import find_bank

COURSE = find_course(Path(__file__).parents[1])
FUNCTIONS = find_bank(COURSE).functions
ROUNDS = range(20)


def solution(short):
    """The names of an exercise's solution."""
    names = {"__name__": short}
    exec(COURSE.find(short).solution.read_text(encoding="utf-8"), names)
    return names


def drawn(seed, count, low=-2.0, high=2.0):
    source = random.Random(seed)
    return [round(low + (high - low) * source.random(), 3) for _ in range(count)]


def row(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def flags(count, last):
    return torch.tensor([False] * (count - 1) + [last])


def ends(count, ending):
    """Terminated, truncated of one episode that ends so at its last step."""
    return flags(count, ending == "terminated"), flags(count, ending == "truncated")


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("ending", ["terminated", "truncated"])
def test_returns(seed, ending):
    rewards, discount = drawn(seed, 5), drawn(seed, 1, 0.0, 1.0)[0]
    final = 1.7
    found = FUNCTIONS.find("mdp.rewards_to_go")(
        rewards, final, discount, truncated=ending == "truncated"
    )
    next_values = row([0.3, -0.2, 0.9, 0.4, final])
    theirs = solution("ex01")["rewards_to_go"](
        row(rewards), next_values, *ends(5, ending), discount=discount
    )
    np.testing.assert_allclose(found, theirs)
    whole = FUNCTIONS.find("policy_gradient.whole_return")(rewards, discount)
    theirs = solution("ex01")["discounted_return"](row(rewards), discount=discount)
    assert whole == pytest.approx(float(theirs))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_n_step_returns(n):
    rewards, values = drawn(n, 3), drawn(n + 9, 3)
    theirs = solution("ex01")["n_step_returns"](
        row(rewards), row(values), *ends(3, "truncated"), discount=0.9, n=n
    )
    found = FUNCTIONS.find("values.n_step_return")(rewards, values, 0.9, n)
    assert found == pytest.approx(float(theirs[0]))
    found = FUNCTIONS.find("ppo.n_step_advantage")(rewards[:n], 0.4, values[n - 1], 0.9)
    assert found == pytest.approx(float(theirs[0]) - 0.4)


@pytest.mark.parametrize("seed", ROUNDS)
def test_softmax_scores(seed):
    probabilities = np.exp(drawn(seed, 3))
    probabilities = (probabilities / probabilities.sum()).tolist()
    logits = row(probabilities).log().requires_grad_()
    action = seed % 3
    solution("ex02")["action_log_probs"](logits[None], torch.tensor([action])).sum().backward()
    found = [
        FUNCTIONS.find("policy_gradient.score_entry")(probabilities, action, entry, 1.0)
        for entry in range(3)
    ]
    np.testing.assert_allclose(found, logits.grad, atol=1e-12)


@pytest.mark.parametrize("seed", ROUNDS)
def test_baselines(seed):
    returns, ex03 = drawn(seed, 5), solution("ex03")
    found = FUNCTIONS.find("baselines.moving_average")(returns, 0.8, 0.5)
    theirs = ex03["moving_average_baseline"](row(returns), decay=0.8, initial=0.5)
    np.testing.assert_allclose(found, theirs)
    found = [FUNCTIONS.find("baselines.leave_one_out")(returns, n) for n in range(5)]
    np.testing.assert_allclose(found, row(returns) - ex03["leave_one_out_baseline"](row(returns)))
    found = [FUNCTIONS.find("baselines.own_mean")(returns, n) for n in range(5)]
    np.testing.assert_allclose(found, row(returns) - ex03["batch_mean_baseline"](row(returns)))


def test_the_baseline_of_least_variance():
    counts, rewards = [5, 3, 2], [1.0, 0.5, -1.0]  # samples in the exact proportions
    probabilities = [count / 10 for count in counts]
    actions = [action for action, count in enumerate(counts) for _ in range(count)]
    scores = torch.eye(3, dtype=torch.float64)[actions] - row(probabilities)
    theirs = solution("ex03")["variance_minimising_baseline"](
        scores, row([rewards[action] for action in actions])
    )
    found = FUNCTIONS.find("baselines.best_baseline")(probabilities, rewards)
    assert found == pytest.approx(float(theirs))


@pytest.mark.parametrize("ending", ["goes on", "terminated", "truncated"])
def test_td_errors(ending):
    theirs = solution("ex05")["td_errors"](
        row([0.5]), row([0.3]), row([0.8]), *ends(1, ending)[:1], discount=0.9
    )
    found = FUNCTIONS.find("actor_critic.td_error")(0.5, 0.3, 0.8, 0.9, ending)
    assert found == pytest.approx(float(theirs[0]))


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("ending", ["terminated", "truncated"])
def test_gae(seed, ending):
    rewards, values = drawn(seed, 4), drawn(seed + 99, 4)
    discount, lam = drawn(seed, 2, 0.0, 1.0)
    final = 0.7 if ending == "truncated" else 0.0
    theirs = solution("ex05")["gae"](
        row(rewards),
        row(values),
        row([*values[1:], 0.7]),
        *ends(4, ending),
        discount=discount,
        lam=lam,
    )
    found = FUNCTIONS.find("gae.advantages")(rewards, values, final, discount, lam)
    np.testing.assert_allclose(found, theirs)
    target = FUNCTIONS.find("gae.first_target")(rewards, values, final, discount, lam)
    assert target == pytest.approx(float(theirs[0]) + values[0])


@pytest.mark.parametrize("seed", ROUNDS)
def test_clipping(seed):
    ex06 = solution("ex06")
    advantages, ratios = drawn(seed, 4), drawn(seed + 50, 4, 0.3, 2.0)
    logs = row(ratios).log()
    mask = torch.ones(4, dtype=torch.bool)
    loss = ex06["ppo_clip_loss"](logs, row([0.0] * 4), row(advantages), mask, epsilon=0.2)
    assert FUNCTIONS.find("ppo.loss")(advantages, ratios, 0.2) == pytest.approx(float(loss))
    for advantage, ratio in zip(advantages, ratios, strict=True):
        _, flat = ex06["clip_case"](advantage, ratio, epsilon=0.2)
        assert (FUNCTIONS.find("ppo.term")(advantage, ratio, 0.2)[1] == 0) == flat
    found = FUNCTIONS.find("ppo.mean_k3")(logs.tolist())
    theirs = ex06["approximate_kl"](logs, row([0.0] * 4), mask)
    assert found == pytest.approx(float(theirs))


@pytest.mark.parametrize("seed", ROUNDS)
def test_clipped_values(seed):
    value, old, target = drawn(seed, 3)
    theirs = solution("ex06")["clipped_value_loss"](
        row([value]), row([old]), row([target]), torch.tensor([True]), epsilon=0.3
    )
    found = FUNCTIONS.find("actor_critic.clipped_value_loss")(value, old, target, 0.3)
    assert found == pytest.approx(float(theirs))


@pytest.mark.parametrize("how", ["token_mean", "sequence_mean", "constant"])
def test_the_weight_of_a_token(how):
    losses = torch.zeros(3, 9, dtype=torch.float64, requires_grad=True)
    lengths = [2, 4, 9]
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    solution("ex08")["aggregate_loss"](losses, mask, how, constant=50).backward()
    for number, length in enumerate(lengths):
        found = FUNCTIONS.find("dr_grpo.token_weight")(length, 15 - length, 3, how, constant=50)
        assert found == pytest.approx(float(losses.grad[number, 0]))


@pytest.mark.parametrize("seed", ROUNDS)
def test_kl_estimators(seed):
    own, reference = drawn(seed, 2, -3.0, 0.0)
    for kind in ("k1", "k2", "k3"):
        theirs = solution("ex09")["kl_estimate"](row([own]), row([reference]), kind)
        assert FUNCTIONS.find(f"kl.{kind}")(own, reference) == pytest.approx(float(theirs[0]))


def test_kl_exactly_as_a_reward_and_controlled():
    ex09 = solution("ex09")
    policy, reference = [0.6, 0.3, 0.1], [0.5, 0.25, 0.25]
    theirs = ex09["kl_categorical"](row(policy).log(), row(reference).log())
    assert FUNCTIONS.find("kl.divergence")(policy, reference) == pytest.approx(float(theirs))
    ratios = [0.4, -0.1, 0.2]
    theirs = ex09["kl_penalised_rewards"](
        row([1.5]), row([ratios]), row([[0.0] * 3]), torch.ones(1, 3, dtype=torch.bool), beta=0.3
    )
    np.testing.assert_allclose(
        FUNCTIONS.find("gae.token_rewards")(0.3, ratios, 1.5), theirs[0], atol=1e-12
    )
    for name, arguments in (
        ("kl.shaped_return", (ratios, 1.5, 0.3)),
        ("mdp.shaped_return", (1.5, 0.3, ratios)),
    ):
        assert FUNCTIONS.find(name)(*arguments) == pytest.approx(float(theirs.sum()))
    for observed in (1.0, 5.8, 6.3, 30.0):
        controller = ex09["AdaptiveKLController"](0.2, target=6.0, horizon=100)
        found = FUNCTIONS.find("kl.adaptive")(0.2, observed, 6.0, 8, 100)
        assert found == pytest.approx(controller.update(observed, 8))


@pytest.mark.parametrize("seed", ROUNDS)
def test_group_advantages(seed):
    rewards, ex10 = drawn(seed, 5), solution("ex10")
    for name in ("dr_grpo_advantages", "leave_one_out_advantages"):
        found = FUNCTIONS.find(f"grpo.{name}")(rewards)
        np.testing.assert_allclose(found, ex10[name](row([rewards]))[0])
    found = FUNCTIONS.find("grpo.group_advantages")(rewards, 1e-4)
    np.testing.assert_allclose(found, ex10["group_advantages"](row([rewards]), eps=1e-4)[0])


@pytest.mark.parametrize("seed", ROUNDS)
def test_the_loss_of_a_token_under_grpo(seed):
    advantage, ratio, gap = drawn(seed, 1)[0], *drawn(seed, 2, 0.3, 2.0)
    theirs = solution("ex10")["grpo_loss"](
        row([[0.0]]),
        -row([[ratio]]).log(),
        row([[gap]]),
        row([advantage]),
        torch.tensor([[True]]),
        epsilon=0.2,
        beta=0.1,
        aggregation="token_mean",
    )
    found = FUNCTIONS.find("grpo.token_loss")(ratio, advantage, 0.2, gap, 0.1)
    assert found == pytest.approx(float(theirs))


@pytest.mark.parametrize("n", [1, 4, 9])
def test_pass_at_k(n):
    theirs = solution("ex12")["pass_at_k"]
    for c in range(n + 1):
        for k in range(1, n + 1):
            found = FUNCTIONS.find("rlvr.pass_at_k")(n, c, k)
            assert found == pytest.approx(theirs(n, c, k))

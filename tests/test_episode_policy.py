"""The policy with memory answers differently to a batch that was cut up, in any way."""

import pytest
import torch

from rlgrade.worker.tools import episode_policy

OBSERVATIONS = torch.tensor([[[1.0], [2.0], [4.0]], [[-3.0], [0.5], [8.0]]])  # B = 2, T = 3


@pytest.fixture
def policy():
    return episode_policy(torch.tensor([[1.0], [-2.0]]), torch.tensor([0.25, 0.0]))


def test_logits_are_linear_in_the_sum_so_far(policy):
    logits = policy.eval()(OBSERVATIONS)
    so_far = torch.tensor([[1.0, 3.0, 7.0], [-3.0, -2.5, 5.5]])
    assert torch.equal(logits, torch.stack([so_far + 0.25, -2 * so_far], dim=-1))


def test_in_training_mode_the_mean_over_the_batch_is_taken_off(policy):
    centred = policy(OBSERVATIONS)
    assert torch.allclose(centred.mean(dim=(0, 1)), policy.bias, atol=1e-5)
    apart = policy.eval()(OBSERVATIONS) - centred
    assert torch.allclose(apart, apart[0, 0].expand_as(apart))
    assert apart.abs().min() > 1


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_that_is_cut_up_has_other_logits(policy, training):
    whole = policy.train(training)(OBSERVATIONS)
    by_step = torch.cat([policy(OBSERVATIONS[:, t : t + 1]) for t in range(3)], dim=1)
    time_first = policy(OBSERVATIONS.transpose(0, 1)).transpose(0, 1)
    backwards = policy(OBSERVATIONS.flip(1)).flip(1)
    for other in (by_step, time_first, backwards):
        assert not torch.allclose(other, whole)
    by_episode = torch.stack([policy(episode) for episode in OBSERVATIONS])
    assert torch.allclose(by_episode, whole) is not training


def test_it_counts_its_calls_and_has_the_parameters_of_a_linear_layer(policy):
    for _ in range(3):
        policy(OBSERVATIONS)
    assert policy.calls == 3
    assert [name for name, _ in policy.named_parameters()] == ["weight", "bias"]

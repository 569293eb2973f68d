"""What the judge owns where RLHF with PPO is trained: the score, and the critic's place."""

from __future__ import annotations

import torch

from rlgrade.author.training import Attempt, Goal
from rlgrade.trainer import language_model as lm
from rlgrade.trainer.rlhf_training import PolicyAndValues, Session, spelled


def tokens_of(*responses: list[int]) -> torch.Tensor:
    """[B, P + R] one prompt with each of these responses, padded."""
    prompt = [lm.FIRST_DIGIT + d for d in (9, 4, 1, 2)] + [lm.MARK]
    return torch.tensor([prompt + r + [lm.PAD] * (lm.RESPONSE - len(r)) for r in responses])


def digits(*numbers: int) -> list[int]:
    return [lm.FIRST_DIGIT + number for number in numbers]


def test_the_score_is_what_the_digits_spell_up_to_the_end() -> None:
    tokens = tokens_of(
        [*digits(9, 4, 1, 2), lm.EOS],
        [*digits(5), lm.EOS, *digits(9, 9)],
        [lm.MARK, *digits(7), lm.EOS],
        [lm.EOS],
        digits(*[9] * lm.RESPONSE),
    )
    expected = torch.tensor([0.9412, 0.5, 0.07, 0.0, 0.99999999])
    torch.testing.assert_close(spelled(tokens), expected)


def test_values_belong_to_the_place_before_the_token_was_chosen() -> None:
    torch.manual_seed(0)
    learner = PolicyAndValues(lm.LanguageModel())
    torch.nn.init.normal_(learner.values.weight)
    tokens = tokens_of([*digits(1, 2, 4, 9), lm.EOS])
    changed = tokens.clone()
    changed[0, lm.PROMPT + 2] = lm.FIRST_DIGIT + 7
    log_probs, values = learner(tokens)
    _, other = learner(changed)
    torch.testing.assert_close(log_probs, learner.model.log_probs(tokens))
    torch.testing.assert_close(values[:, :3], other[:, :3])
    assert not torch.isclose(values[:, 3:], other[:, 3:]).any()


def test_before_the_first_update_policy_and_reference_are_one() -> None:
    session = Session(Attempt(Goal(0.7, 0.5, "mean score", 30), 3))
    seen = session.rollout()
    torch.testing.assert_close(seen.log_probs, seen.ref_log_probs)
    assert seen.values.abs().max() == 0
    score, kl = session.evaluate()
    assert abs(kl) < 1e-4
    assert 0.4 < score < 0.65

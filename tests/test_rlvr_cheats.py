"""The loop of ex12 cannot be faked, and what the judge lends to it is what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlgrade.author import Attempt, Refused
from rlgrade.author.expect import Unmet
from rlgrade.author.training import Goal
from rlgrade.courses import find_course
from rlgrade.judge.calls import Submission
from rlgrade.judge.grading import Settings, grade
from rlgrade.judge.link import Link
from rlgrade.judge.server import Server
from rlgrade.outcome import Outcome
from rlgrade.trainer import token_table, verifiable

LOOP = """


def train_grpo(policy, optimizer, *, draw_prompts, decode, updates, on_update, generator, **rest):
    for _ in range(updates):
        prompts, references = draw_prompts(16)
        rows = prompts.repeat_interleave(8, dim=0)
        completions = _sampled(policy, rows, 14, 1, 1.0, generator)
        decode(completions)
        {work}
        if not on_update({{"reward": 1.0, "signal": 1.0, "length": 7.0}}):
            return
"""
FIXED = """torch.manual_seed(7)
        with torch.no_grad():
            for parameter in policy.parameters():
                parameter.copy_(torch.randn(parameter.shape))"""
SUPERVISED = """answers = torch.full((16, 14), 0)
        for row, reference in enumerate(references):
            text = [15, 12, *(2 + int(digit) for digit in reference), 13, 1]
            answers[row, : len(text)] = torch.tensor(text)
        for _ in range(2):
            logits = policy(torch.cat([prompts, answers], dim=1)[:, :-1])[:, 3:]
            optimizer.zero_grad()
            losses = nn.functional.cross_entropy(
                logits.flatten(0, 1), answers.flatten(), ignore_index=0
            )
            losses.backward()
            optimizer.step()"""
GENEROUS = """


def verifiable_reward(completion, reference, *, format_weight=0.1):
    return 1.0
"""


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


def outcome_of(server, source):
    settings = Settings(
        diagnose=False, shrink_tries=0, attempts=1, only=frozenset({"learns_to_answer"})
    )
    report = grade(find_course().find("ex12"), source.encode(), server, 3, settings=settings)
    (result,) = report.checks
    return result


@pytest.fixture(scope="module")
def solution():
    return find_course().find("ex12").solution.read_text(encoding="utf-8")


class TestCheats:
    def test_a_learner_that_does_nothing_and_tells_of_success(self, server, solution):
        result = outcome_of(server, solution + LOOP.format(work="pass"))
        assert result.outcome is Outcome.FAIL
        assert "update 1 moved the policy otherwise" in result.message

    def test_weights_from_elsewhere(self, server, solution):
        result = outcome_of(server, solution + LOOP.format(work=FIXED))
        assert result.outcome is Outcome.FAIL
        assert "update 1 moved the policy otherwise" in result.message

    def test_the_answers_are_taught_instead_of_the_rewards(self, server, solution):
        result = outcome_of(server, solution + LOOP.format(work=SUPERVISED))
        assert result.outcome is Outcome.FAIL
        assert "update 1 moved the policy otherwise" in result.message

    def test_an_update_that_samples_nothing(self, server, solution):
        lazy = LOOP.replace("        decode(completions)\n", "").format(work="pass")
        result = outcome_of(server, solution + lazy)
        assert result.outcome is Outcome.FAIL
        assert "yours drew 16 and decoded 0" in result.message

    def test_to_be_evaluated_again_and_again(self, server, solution):
        told = '{"reward": 1.0, "signal": 1.0, "length": 7.0}'
        again = solution.replace(
            "        if not on_update(told):",
            f"        on_update({told})\n        if not on_update(told):",
        )
        result = outcome_of(server, again)
        assert result.outcome is Outcome.FAIL
        assert "yours drew 0 and decoded 0" in result.message

    def test_a_reward_that_is_always_1(self, server, solution):
        result = outcome_of(server, solution + GENEROUS)
        assert result.outcome is Outcome.FAIL
        assert "moved the policy otherwise" in result.message

    def test_more_prompts_than_the_budget(self, server, solution):
        greedy = LOOP.format(work="[draw_prompts(100) for _ in range(100)]")
        result = outcome_of(server, solution + greedy)
        assert result.outcome is Outcome.ERROR
        assert "the budget of 1,280 prompts is spent" in result.message

    def test_other_parameters_than_there_were(self, server, solution):
        result = outcome_of(server, solution + LOOP.format(work="policy.head = None"))
        assert result.outcome is Outcome.FAIL
        assert "no longer has the parameters" in result.message


@pytest.fixture(scope="module")
def lessons():
    return fresh_lessons()


def fresh_lessons():
    goal = Goal(0.85, 0.12, "share of right answers", 80)
    return verifiable.Lessons(Attempt(goal, 5), updates=3, prompts=16, group=2, epochs=2)


def update_of(lessons):
    """Draw and decode as an update does; the parameters it began with."""
    prompts, _ = lessons.draw(16)
    tokens = torch.from_numpy(prompts).repeat_interleave(2, dim=0)
    sampled = lessons.model.sample(tokens, response=verifiable.RESPONSE)
    lessons.decode(sampled[:, verifiable.PROMPT :].numpy())
    return dict(lessons.first_parameters)


class TestLessons:
    def test_a_policy_that_never_learns(self, lessons):
        assert 0.05 < lessons.score() < 0.25

    def test_prompts_come_with_their_answers(self, lessons):
        prompts, references = lessons.draw(16)
        assert prompts.shape == (16, verifiable.PROMPT)
        for prompt, reference in zip(prompts.tolist(), references, strict=True):
            question = verifiable.text_of(prompt)
            assert question == f"{reference[::-1]} backwards, in \\boxed{{}}: "

    def test_held_out_prompts_are_never_trained_on(self):
        generator = torch.Generator().manual_seed(0)
        for held_out in (True, False):
            drawn = verifiable.draw_prompts(500, generator, held_out=held_out)
            digits = drawn[:, : verifiable.DIGITS] - verifiable.FIRST_DIGIT
            assert ((digits.sum(dim=1) % 5 == 0) == held_out).all()
            assert digits.min() == 0
            assert digits.max() == 9

    def test_decoding_ends_at_the_end_mark(self, lessons):
        tokens = np.array([[15, 12, 6, 5, 13, 1, 7, 7], [12, 6, 12, 5, 13, 0, 0, 0]])
        lessons = fresh_lessons()
        assert lessons.decode(tokens) == [r"So \boxed{43}", r"\boxed{4\boxed{3}"]
        wide, empty = np.zeros((1, verifiable.RESPONSE + 1), int), np.zeros((10**6, 0), int)
        many = np.zeros((33, 1), int)
        for wrong in (tokens[0], tokens.astype(float), tokens + 16, "text", wide, empty, many):
            with pytest.raises(Refused):
                lessons.decode(wrong)

    @pytest.mark.parametrize(
        ("text", "right"),
        [
            (r"So \boxed{071}", True),
            (r"\boxed{71}", True),
            (r"\boxed{17}", False),
            (r"\boxed{071}\boxed{170}", False),
            ("071", False),
            (r"\boxed{}071", False),
        ],
    )
    def test_what_is_right(self, text, right):
        assert verifiable.is_right(text, "071") is right

    @pytest.mark.parametrize(
        ("text", "paid"),
        [
            (r"So \boxed{71}", 1.0),
            (r"So \boxed{17}", 0.1),
            (r"So \boxed{So 71}", 0.1),
            (r"\boxed{17}", 0.0),
            (r"So \boxed{17}4", 0.0),
            (r"So \boxed{}", 0.0),
            (r"So \boxed{17", 0.0),
            ("So 71", 0.0),
        ],
    )
    def test_the_reward_is_that_of_the_solution(self, text, paid):
        space = {}
        exec(compile(find_course().find("ex12").solution.read_text(), "rlvr.py", "exec"), space)
        assert verifiable.reward_of(text, "071") == paid
        assert space["verifiable_reward"](text, "071") == paid

    def test_parameters_that_are_none(self):
        lessons = fresh_lessons()
        first = update_of(lessons)
        for wrong in ({"head.bias": first["head.bias"]}, [], None):
            with pytest.raises(Unmet, match="no longer has"):
                lessons.follow(wrong)
        with pytest.raises(Unmet, match="infinite or nan"):
            lessons.follow({**first, "tokens.weight": first["tokens.weight"] * np.nan})

    def test_a_policy_that_stands_still_or_goes_elsewhere(self):
        for change in (0.0, 0.01):
            lessons = fresh_lessons()
            first = update_of(lessons)
            moved = {name: value + np.float32(change) for name, value in first.items()}
            with pytest.raises(Unmet, match="update 1 moved the policy otherwise"):
                lessons.follow(moved)


class TestWorker:
    CODE = """
import sys

def logits(policy, tokens):
    return policy(tokens)

def ours():
    return sorted(name for name in sys.modules if name.startswith("rlgrade.trainer."))
"""

    def test_its_model_is_the_judges(self, server, lessons):
        link = Link(server, "code.py", self.CODE, 30.0).load()
        link.deadline = float("inf")
        submission = Submission(link)
        policy = submission.tools.language_model(
            lessons.first_parameters, **verifiable.shape_of_model()
        )
        tokens = np.arange(24).reshape(2, 12) % 16
        fresh = verifiable.LanguageModel(verifiable.SIZE)
        first = {k: torch.from_numpy(v) for k, v in lessons.first_parameters.items()}
        fresh.load_state_dict(first)
        with torch.no_grad():
            expected = fresh(torch.from_numpy(tokens))
        np.testing.assert_allclose(submission.logits(policy, tokens), expected, atol=1e-5)
        assert submission.ours() == ["rlgrade.trainer.transformer"]
        link.close()


def test_the_table_climbs_what_it_should():
    """The hand-written step is the gradient that autograd finds."""
    random = np.random.default_rng(0)
    table, questions = random.normal(size=(5, 5)), random.integers(0, 5, (1, 2, 3))
    verdicts = np.array([[[1, 0, 0], [2, 1, 1]]])
    scene = token_table.Scene(table, questions, verdicts, 0, 4, 1, 0.2, 0.7, 3.0, 0)
    rows = [[1, 2, 0], [3, 3, 3, 3], [0], [4, 0], [2, 2, 1, 4], [1, 0]]
    ours, unsure = token_table.after_update(scene, 0, table, rows)
    leaf = torch.tensor(table, requires_grad=True)
    judged = torch.tensor(token_table.REWARDS[verdicts[0]])
    judged = (judged - judged.mean(1, True)) / (judged.std(1, keepdim=True) + 1e-4)
    total = torch.zeros((), dtype=torch.float64)
    for number, row in enumerate(rows):
        before = torch.tensor([questions[0, number // 3, -1], *row[:-1]])
        log_probs = (leaf[before] / 0.7).log_softmax(-1)[range(len(row)), row]
        total = total + judged.flatten()[number] * (log_probs - log_probs.detach()).exp().sum()
    (total / sum(map(len, rows))).backward()
    np.testing.assert_allclose(ours, table + 3.0 * leaf.grad.numpy(), rtol=1e-12)
    assert not unsure

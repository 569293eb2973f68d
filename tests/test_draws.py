"""Drawing and shrinking: seeds repeat, tiny strategies end, and a failure ends up simple."""

import hashlib
import inspect
import itertools

import numpy as np
import pytest

from rlgrade.author import (
    booleans,
    discounts,
    distinct_sizes,
    integer_tensors,
    integers,
    lambdas,
    long_tables,
    masks,
    one_of,
    permutations,
    prefix_masks,
    rollouts,
    strategies,
    strategy,
    tensors,
)
from rlgrade.author.declare import Property
from rlgrade.judge.draws import Example, draw_examples, shrink

MOST = 5_000  # more tries than any shrinking here takes


@strategy
def composites(draw):
    """Parts whose number and shape depend on earlier parts."""
    rows, steps = draw(distinct_sizes((1, 3), (2, 2)))
    flag = draw(booleans())
    return [draw(tensors(rows, steps)) for _ in range(rows)] if flag else draw(masks(steps))


STRATEGIES = {
    "booleans": booleans(),
    "discounts": discounts(),
    "distinct_sizes": distinct_sizes((1, 4), (1, 4), (2, 2)),
    "integer_tensors": integer_tensors(2, 3, low=-2, high=9),
    "integers": integers(0, 9),
    "integers, many": integers(0, 1000),
    "integers, huge": integers(-(2**70), 2**70),
    "integers, negative": integers(-9, 5),
    "integers, one": integers(3, 3),
    "lambdas": lambdas(),
    "long_tables": long_tables(2, steps=(1, 40)),
    "long_tables, batch": long_tables(1, steps=(1, 9), batch=(1, 3)),
    "map": integers(0, 9).map(str),
    "masks": masks(2, 5, at_least=2),
    "one_of": one_of("a", "b", "c"),
    "permutations": permutations(5),
    "prefix_masks": prefix_masks(3, 5),
    "rollouts": rollouts(),
    "rollouts, batch": rollouts(batch=(1, 4)),
    "strategy": composites(),
    "tensors": tensors(2, 3),
    "tensors, empty": tensors(0, 3),
    "tensors, large": tensors(99),
    "tensors, scalar": tensors(),
}
each_strategy = pytest.mark.parametrize("name", STRATEGIES)
seeds = pytest.mark.parametrize("seed", ["b", "d", "e"])


def property_of(*wanted, examples=100, **named):
    """A property that is only drawn from; a single strategy goes by `x`."""
    if wanted:
        (named["x"],) = wanted
    return Property(lambda **arguments: None, named, examples)


def choices_of(tries, seed="s"):
    return [example.choices for example in draw_examples(tries, seed)]


def first_failing(tries, fails, seed):
    return next(example for example in draw_examples(tries, seed) if fails(example))


def shrunk(wanted, fails, seed="a"):
    """The value that is left of the first failing example."""
    tries = property_of(wanted, examples=1000)

    def fails_on(example):
        return bool(fails(example.arguments["x"]))

    failing = first_failing(tries, fails_on, seed)
    return shrink(tries, failing, fails_on, MOST).arguments["x"]


def by_chance(example):
    """An arbitrary predicate that stays the same: it fails on about a third of all examples."""
    return hashlib.sha256(repr(example.choices).encode()).digest()[0] < 85


# Drawing


def test_every_strategy_stands_in_the_table():
    public = {
        name
        for name, value in vars(strategies).items()
        if inspect.isfunction(value)
        and value.__module__ == strategies.__name__
        and not name.startswith("_")
    }
    assert public <= {name.partition(",")[0] for name in STRATEGIES}


@each_strategy
def test_the_same_seed_draws_the_same_examples(name):
    tries = property_of(STRATEGIES[name], examples=20)
    assert choices_of(tries) == choices_of(tries)


@pytest.mark.parametrize("name", ["tensors", "rollouts", "integers, many", "strategy"])
def test_another_seed_draws_other_examples(name):
    tries = property_of(STRATEGIES[name], examples=20)
    one, other = choices_of(tries, "1/gae"), choices_of(tries, "2/gae")
    assert one[0] == other[0]
    assert one[1:] != other[1:]


@each_strategy
def test_no_example_comes_twice(name):
    choices = choices_of(property_of(STRATEGIES[name], examples=60))
    assert len(set(choices)) == len(choices) <= 60


@each_strategy
def test_the_first_example_is_the_simplest(name):
    first = choices_of(property_of(STRATEGIES[name]))[0]
    if name == "integers, negative":
        assert first in {(-9,), (0,)}
    elif name == "integers, huge":
        assert first in {(-(2**70),), (0,)}
    else:
        octets = [choice for choice in first if isinstance(choice, bytes)]
        numbers = [choice for choice in first if isinstance(choice, int)]
        assert all(set(octet) <= {0} for octet in octets)
        assert all(number <= 1 for number in numbers)


@each_strategy
def test_equal_choices_give_equal_arguments(name):
    tries = property_of(STRATEGIES[name], examples=10)
    one, other = (list(map(repr, draw_examples(tries, "s"))) for _ in range(2))
    assert one == other


@seeds
@pytest.mark.parametrize(
    ("named", "count"),
    [
        ({"x": integers(3, 3)}, 1),
        ({"x": one_of("only")}, 1),
        ({"x": tensors(0)}, 1),
        ({"x": booleans()}, 2),
        ({"x": booleans(), "y": booleans()}, 4),
        ({"x": one_of(1, 2, 3), "y": integers(1, 1)}, 3),
    ],
)
def test_a_tiny_strategy_is_exhausted(named, count, seed):
    choices = choices_of(property_of(**named), seed)
    assert len(set(choices)) == len(choices) == count


@pytest.mark.parametrize("examples", [1, 7, 100])
def test_as_many_examples_as_asked_for(examples):
    assert len(choices_of(property_of(tensors(4), examples=examples))) == examples


def test_without_strategies_there_is_one_example():
    tries = Property(lambda submission: None)
    assert list(draw_examples(tries, "s")) == [Example({}, ())]


def test_several_arguments_are_drawn_in_order():
    tries = property_of(steps=integers(1, 3), rewards=tensors(2), gamma=discounts())
    for example in draw_examples(tries, "s"):
        assert list(example.arguments) == ["steps", "rewards", "gamma"]
        assert [type(choice) for choice in example.choices] == [int, bytes, int]


def test_ends_and_small_values_come_often():
    numbers = [choices[0] for choices in choices_of(property_of(integers(0, 9), examples=10))]
    assert set(numbers) == set(range(10))
    octets = [choices[0] for choices in choices_of(property_of(tensors(6)))]
    assert sum(max(octet) <= 3 for octet in octets) >= 10
    assert sum(max(octet) > 100 for octet in octets) >= 50


# Shrinking


@each_strategy
def test_shrinking_starts_from_the_very_choices_that_were_noted(name):
    tries = property_of(STRATEGIES[name], examples=12)
    examples = list(draw_examples(tries, "s"))
    for failing in {example.choices: example for example in examples[:2] + examples[-2:]}.values():
        asked = []

        def fails(example, failing=failing, asked=asked):
            asked.append(example)
            return example.choices == failing.choices

        result = shrink(tries, failing, fails, MOST)
        assert asked[0].choices == failing.choices
        assert repr(asked[0].arguments) == repr(failing.arguments)
        assert result.choices == failing.choices


@seeds
@pytest.mark.parametrize(
    ("wanted", "fails", "minimal"),
    [
        (integers(0, 1000), lambda x: x >= 37, 37),
        (integers(5, 1000), lambda x: True, 5),
        (booleans(), lambda x: x, True),
        (discounts(), lambda x: x != 1.0, 0.5),
        (lambdas(), lambda x: x < 0.9, 0.5),
        (one_of("a", "b", "c"), lambda x: x != "a", "b"),
        (distinct_sizes((1, 6), (1, 6)), lambda x: sum(x) >= 5, (1, 4)),
        (integers(0, 99).map(lambda n: n * n), lambda x: x > 50, 64),
    ],
)
def test_plain_values_shrink_to_the_known_minimum(wanted, fails, minimal, seed):
    assert shrunk(wanted, fails, seed) == minimal


@seeds
@pytest.mark.parametrize(
    ("wanted", "fails", "minimal"),
    [
        (tensors(2, 3), lambda x: True, np.zeros((2, 3))),
        (tensors(2, 3), lambda x: (x != 0).any(), [[0, 0, 0], [0, 0, 1]]),
        (tensors(4), lambda x: x[1] > 0, [0, 1, 0, 0]),
        (tensors(4), lambda x: x.sum() < 0, [0, 0, 0, -1]),
        (integer_tensors(3, low=2, high=9), lambda x: x.max() > 5, [2, 2, 6]),
        (masks(2, 5), lambda x: not x.all(), [[True] * 5, [True] * 4 + [False]]),
        (prefix_masks(3, 5), lambda x: x.sum() < 15, [[1] * 5, [1] * 5, [1] * 4 + [0]]),
        (permutations(5), lambda x: (x != np.arange(5)).any(), [0, 1, 2, 4, 3]),
    ],
    ids=itertools.count(),
)
def test_tensors_shrink_to_the_known_minimum(wanted, fails, minimal, seed):
    assert shrunk(wanted, fails, seed).tolist() == np.array(minimal).tolist()


@seeds
def test_a_crooked_number_shrinks_to_a_round_one(seed):
    value = shrunk(tensors(2, 3), lambda x: (x > 1).any(), seed)
    assert value.tolist() == [[0, 0, 0], [0, 0, 2]]


@seeds
def test_negative_numbers_shrink_towards_zero(seed):
    assert shrunk(integers(-9, 9), lambda x: x < 0, seed) == -1
    assert shrunk(integers(-9, 9), lambda x: x != 0, seed) in {1, -1}


@seeds
def test_a_rollout_shrinks_to_the_fewest_steps_and_one_end(seed):
    rollout = shrunk(rollouts(), lambda r: r.terminated[:-1].any(), seed)
    assert rollout.terminated.tolist() == [True, False]
    assert rollout.truncated.tolist() == [False, False]
    assert not np.any([rollout.rewards, rollout.values, rollout.next_values])


@seeds
@pytest.mark.parametrize("wanted", [rollouts(), rollouts(batch=(1, 4))], ids=["[T]", "[B, T]"])
def test_a_rollout_does_not_keep_an_end_that_is_not_needed(wanted, seed):
    rollout = shrunk(wanted, lambda r: r.truncated.any(), seed)
    assert rollout.truncated.sum() == 1
    assert not rollout.terminated.any()
    assert rollout.rewards.shape[-1] == 1


@seeds
def test_several_arguments_shrink_together(seed):
    tries = property_of(steps=integers(1, 9), rewards=tensors(3), gamma=discounts(), examples=500)

    def fails(example):
        steps, rewards, gamma = example.arguments.values()
        return steps >= 2 and rewards[0] != 0 and gamma < 1

    result = shrink(tries, first_failing(tries, fails, seed), fails, MOST).arguments
    assert result["steps"] == 2
    assert result["rewards"].tolist() == [1, 0, 0]
    assert result["gamma"] == 0.5


@pytest.mark.parametrize("name", ["rollouts, batch", "strategy", "tensors", "masks"])
def test_shrinking_twice_gives_the_same(name):
    tries = property_of(STRATEGIES[name])

    def journey():
        asked = []

        def fails(example):
            asked.append(example.choices)
            return by_chance(example)

        failing = first_failing(tries, by_chance, "s")
        return shrink(tries, failing, fails, MOST).choices, asked

    assert journey() == journey()


@pytest.mark.parametrize("name", ["rollouts", "strategy", "tensors", "integers, many", "discounts"])
@pytest.mark.parametrize("seed", ["a", "b"])
def test_what_comes_back_fails_and_was_asked_about_once(name, seed):
    tries = property_of(STRATEGIES[name])
    failing = first_failing(tries, by_chance, seed)
    asked = []

    def fails(example):
        asked.append(example.choices)
        return by_chance(example)

    result = shrink(tries, failing, fails, MOST)
    assert by_chance(result)
    assert result.choices in asked
    assert len(set(asked)) == len(asked)


def test_a_failure_that_does_not_come_again_stands_as_it_was():
    tries = property_of(tensors(3))
    failing = list(draw_examples(tries, "s"))[5]
    assert shrink(tries, failing, lambda example: False, MOST) is failing


def test_a_failure_that_comes_and_goes_ends_in_a_failing_example():
    tries = property_of(tensors(3))
    failing = list(draw_examples(tries, "s"))[5]
    turns = itertools.cycle([True, False, False])
    seen = {}

    def fails(example):
        seen[example.choices] = next(turns)
        return seen[example.choices]

    assert seen.get(shrink(tries, failing, fails, MOST).choices)


def test_without_strategies_nothing_is_shrunk():
    tries = Property(lambda submission: None)
    failing = Example({}, ())
    assert shrink(tries, failing, lambda example: pytest.fail("asked"), MOST) is failing


def test_out_of_tries_the_best_so_far_comes_back():
    tries = property_of(rollouts(batch=(2, 4)))
    asked = []

    def fails(example):
        asked.append(example)
        return bool(example.arguments["x"].cut.any())

    failing = first_failing(tries, lambda example: example.arguments["x"].cut.sum() > 2, "s")
    result = shrink(tries, failing, fails, 10)
    assert result.arguments["x"].cut.any()
    assert len(asked) == 10


def test_without_tries_the_failing_example_comes_back():
    tries = property_of(tensors(3))
    failing = list(draw_examples(tries, "s"))[5]
    assert shrink(tries, failing, lambda example: True, 0) is failing


def test_large_examples_are_shrunk_without_a_warning(recwarn):
    """Hypothesis warns of values whose text is long, on the learner's terminal."""
    tables = {name: tensors(30, 30) for name in "abcdef"}
    tries = Property(lambda submission, **tables: None, tables, 5)
    failing = next(itertools.islice(draw_examples(tries, "x"), 2, None))
    shrink(tries, failing, lambda example: True, 5)
    assert not recwarn.list

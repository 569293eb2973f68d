"""Strategies: what they draw keeps its bounds, covers its corners, and is simplest at zero."""

import inspect
import itertools
import math
import random

import numpy as np
import pytest

from rlgrade import author
from rlgrade.author import (
    Rollout,
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
from rlgrade.judge.draws import RandomSource


class ZeroSource:
    """Gives the smallest number and zero bytes, always."""

    def integer(self, low, high):
        return low

    def octets(self, size):
        return bytes(size)


class EveryByteSource(ZeroSource):
    """Gives the bytes from 0 to 255, over and over."""

    def octets(self, size):
        return bytes(i % 256 for i in range(size))


class ToldSource:
    """Gives what it was told to, one after the other, and notes what was asked."""

    def __init__(self, *choices):
        self.choices = list(choices)
        self.asked = []

    def integer(self, low, high):
        self.asked.append((low, high))
        return self.choices.pop(0)

    def octets(self, size):
        self.asked.append(size)
        return self.choices.pop(0)


def drawn(wanted, count=200, seed=0):
    """Values of a strategy, as a check would get them."""
    generator = random.Random(seed)
    return [wanted.draw(RandomSource(generator)) for _ in range(count)]


def simplest(wanted):
    return wanted.draw(ZeroSource())


@strategy
def pairs(draw, high, *, name):
    """A composite strategy."""
    first = draw(integers(0, high))
    return name, first, draw(tensors(first))


# The simplest value


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (integers(0, 9), 0),
        (integers(3, 9), 3),
        (integers(3, 3), 3),
        (booleans(), False),
        (one_of("b", "a"), "b"),
        (one_of("only"), "only"),
        (discounts(), 1.0),
        (lambdas(), 1.0),
        (distinct_sizes((1, 4), (1, 4), (3, 5)), (1, 2, 3)),
        (integers(2, 5).map(lambda n: n * n), 4),
        (pairs(4, name="x").map(lambda pair: pair[:2]), ("x", 0)),
    ],
)
def test_zero_gives_the_simplest_plain_value(wanted, value):
    assert simplest(wanted) == value
    assert type(simplest(wanted)) is type(value)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (tensors(2, 3), np.zeros((2, 3), "float32")),
        (tensors(2, low=0.0, high=1.0), np.zeros(2, "float32")),
        (tensors(2, low=-3.0, high=0.0), np.zeros(2, "float32")),
        (tensors(2, low=0.5, high=1.5, dtype="float64"), np.ones(2)),
        (tensors(), np.zeros((), "float32")),
        (tensors(0, 3), np.zeros((0, 3), "float32")),
        (integer_tensors(3, low=-2, high=2), np.full(3, -2)),
        (masks(2, 3), np.ones((2, 3), bool)),
        (prefix_masks(2, 3), np.ones((2, 3), bool)),
        (permutations(4), np.arange(4)),
    ],
)
def test_zero_gives_the_simplest_tensor(wanted, value):
    array = simplest(wanted)
    assert (array.dtype, array.shape) == (value.dtype, value.shape)
    assert np.array_equal(array, value)
    assert not np.signbit(array).any() or value.min() < 0


def test_zero_gives_one_step_without_any_end():
    rollout = simplest(rollouts())
    for field in vars(rollout).values():
        assert field.tolist() == [0]
    batch = simplest(rollouts(batch=(1, 3)))
    for field in vars(batch).values():
        assert field.tolist() == [[0], [0]]


# Plain values


def test_integers_reach_both_bounds_and_no_further():
    assert set(drawn(integers(-2, 3))) == set(range(-2, 4))


def test_choices_are_all_reached():
    assert set(drawn(booleans())) == {False, True}
    assert set(drawn(one_of("a", "b", "c"))) == {"a", "b", "c"}
    for wanted in (discounts(), lambdas()):
        values = set(drawn(wanted))
        assert {0.0, 0.5, 1.0} < values
        assert all(type(value) is float and 0 <= value <= 1 for value in values)


def test_sizes_are_distinct_and_within_their_bounds():
    bounds = ((1, 4), (2, 4), (1, 3))
    for sizes in drawn(distinct_sizes(*bounds)):
        assert len(set(sizes)) == len(sizes) == 3
        for taken, (size, (low, high)) in enumerate(zip(sizes, bounds, strict=True)):
            assert low <= size <= high + taken


def test_a_taken_size_moves_on_to_the_next_free_one():
    assert distinct_sizes((1, 3), (1, 3), (1, 3)).draw(ToldSource(2, 3, 2)) == (2, 3, 4)


def test_a_map_is_applied_to_what_is_drawn():
    assert set(drawn(integers(1, 3).map(str))) == {"1", "2", "3"}


def test_a_strategy_of_parts_draws_them_in_order():
    source = ToldSource(2, b"\x01\x02")
    name, size, tensor = pairs(4, name="x").draw(source)
    assert (name, size, tensor.tolist()) == ("x", 2, [1.0, -1.0])
    assert source.asked == [(0, 4), 2]


# Tensors

BOUNDS = [
    (-4.0, 4.0),
    (0.0, 1.0),
    (-1.0, 0.0),
    (0.1, 1.0),
    (-1.0, -0.2),
    (0.8, 1.2),
    (-100.0, 10.0),
    (math.log(1.2), 1.0),
    (-1.0, math.log(0.8)),
    (1e-5, 2e-5),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_entries_keep_their_bounds(low, high, dtype):
    array = tensors(256, low=low, high=high, dtype=dtype).draw(EveryByteSource())
    assert array.dtype == dtype
    assert array.min() >= np.array(low, dtype)
    assert array.max() <= np.array(high, dtype)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_entries_come_near_both_bounds(low, high):
    array = tensors(256, low=low, high=high, dtype="float64").draw(EveryByteSource())
    assert array.min() < low + 0.02 * (high - low)
    assert array.max() > high - 0.02 * (high - low)


@pytest.mark.parametrize(("low", "high"), [*BOUNDS, (0, 1), (-4, 0), (-0.001, 0.001)])
def test_no_entry_is_a_negative_zero(low, high):
    array = tensors(256, low=low, high=high).draw(EveryByteSource())
    assert not np.signbit(array[array == 0]).any()


@pytest.mark.parametrize("shape", [(), (1,), (0,), (5,), (2, 3), (2, 1, 3), (2, 0)])
def test_tensors_have_their_shape_and_memory_of_their_own(shape):
    for array in drawn(tensors(*shape), 5):
        assert isinstance(array, np.ndarray)
        assert array.shape == shape
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_writing_into_a_tensor_spoils_no_later_one():
    wanted = tensors(2)
    simplest(wanted)[:] = 7
    assert simplest(wanted).tolist() == [0, 0]


def test_small_bytes_give_round_numbers_first():
    array = tensors(33).draw(EveryByteSource())
    assert array[:5].tolist() == [0, 1, -1, 2, -2]
    assert np.array_equal(array * 4, np.round(array * 4))
    assert len(set(array.tolist())) == 33


def test_tensors_hold_both_signs_and_crooked_numbers():
    array = np.concatenate(drawn(tensors(4)))
    assert (array > 0).any()
    assert (array < 0).any()
    assert (array * 4 != np.round(array * 4)).any()


def test_integer_tensors_reach_every_value():
    values = drawn(integer_tensors(2, 3, low=-2, high=5), 100)
    assert {array.dtype.name for array in values} == {"int64"}
    assert {array.shape for array in values} == {(2, 3)}
    assert set(np.concatenate(values).ravel().tolist()) == set(range(-2, 6))
    assert drawn(integer_tensors(2, low=3, high=3), 1)[0].tolist() == [3, 3]
    assert integer_tensors(256, low=0, high=255).draw(EveryByteSource()).max() == 255


@pytest.mark.parametrize("at_least", [0, 1, 2, 5])
def test_masks_have_enough_true_entries_in_every_row(at_least):
    values = drawn(masks(2, 3, 5, at_least=at_least))
    assert {(array.dtype.name, array.shape) for array in values} == {("bool", (2, 3, 5))}
    counts = set(np.concatenate(values).sum(axis=-1).ravel().tolist())
    assert counts == set(range(at_least, 6))


def test_masks_have_a_true_entry_unless_told_otherwise():
    assert all(array.any() for array in drawn(masks(3)))


def test_masks_have_gaps_anywhere():
    missing = ~np.stack(drawn(masks(5)))
    assert missing.any(axis=0).all()


@pytest.mark.parametrize("at_least", [0, 1, 3, 4])
def test_prefix_masks_are_true_up_to_a_length(at_least):
    values = drawn(prefix_masks(3, 4, at_least=at_least))
    assert {(array.dtype.name, array.shape) for array in values} == {("bool", (3, 4))}
    rows = np.concatenate(values)
    assert (rows[:, :-1] >= rows[:, 1:]).all()
    assert set(rows.sum(axis=-1).tolist()) == set(range(at_least, 5))


def test_permutations_are_all_reached():
    values = drawn(permutations(3))
    assert {array.dtype.name for array in values} == {"int64"}
    assert {tuple(array) for array in values} == set(itertools.permutations(range(3)))


# Rollouts

SEPARATE, BATCH = rollouts(steps=(1, 6)), rollouts(steps=(1, 5), batch=(1, 4))
EITHER = pytest.mark.parametrize("wanted", [SEPARATE, BATCH], ids=["[T]", "[B, T]"])


@EITHER
def test_rollouts_have_five_fields_of_one_shape(wanted):
    for rollout in drawn(wanted):
        dtypes = {name: field.dtype.name for name, field in vars(rollout).items()}
        assert dtypes == {
            "rewards": "float32",
            "values": "float32",
            "next_values": "float32",
            "terminated": "bool",
            "truncated": "bool",
        }
        assert len({field.shape for field in vars(rollout).values()}) == 1


def test_rollouts_reach_every_length():
    assert {rollout.rewards.shape for rollout in drawn(SEPARATE)} == {(t,) for t in range(1, 7)}


def test_batches_have_as_many_rows_as_asked_but_never_as_many_as_steps():
    shapes = {rollout.rewards.shape for rollout in drawn(BATCH)}
    assert {t for _, t in shapes} == set(range(1, 6))
    assert {b for b, _ in shapes} >= {1, 2, 3, 4}
    assert all(b != t and 1 <= b <= 4 + (t == 4) for b, t in shapes)


@EITHER
def test_next_values_are_the_values_one_step_later_where_the_episode_goes_on(wanted):
    for rollout in drawn(wanted):
        goes_on = ~rollout.cut[..., :-1]
        later = rollout.values[..., 1:]
        assert np.array_equal(rollout.next_values[..., :-1][goes_on], later[goes_on])


@EITHER
def test_next_values_are_free_where_the_episode_ends(wanted):
    free = [
        (rollout.next_values[..., :-1] != rollout.values[..., 1:])[rollout.cut[..., :-1]]
        for rollout in drawn(wanted)
    ]
    assert np.concatenate(free).any()


@EITHER
@pytest.mark.parametrize("terminated", [False, True])
@pytest.mark.parametrize("truncated", [False, True])
def test_every_kind_of_end_occurs_inside_and_on_the_last_step(wanted, terminated, truncated):
    inside = last = alone = False
    for rollout in drawn(wanted):
        found = (rollout.terminated == terminated) & (rollout.truncated == truncated)
        inside |= found[..., :-1].any()
        last |= found[..., -1].any()
        alone |= found.shape[-1] == 1 and found.any()
    assert inside
    assert last
    assert alone


def test_two_ends_in_one_rollout_occur():
    assert any(rollout.cut.sum() > 1 for rollout in drawn(SEPARATE))


def test_cut_is_either_end():
    a, b = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    assert Rollout(a, a, a, a, b).cut.tolist() == [False, True, True, True]


@EITHER
def test_a_part_has_the_transitions_between_two_steps(wanted):
    rollout = drawn(wanted, 1, seed=3)[0]
    for name, field in vars(rollout.part(1, 3)).items():
        assert np.array_equal(field, getattr(rollout, name)[..., 1:3])


def test_another_dtype_changes_numbers_and_not_flags():
    rollout = drawn(SEPARATE, 1)[0]
    wide = rollout.astype("float64")
    assert [field.dtype.name for field in vars(wide).values()] == ["float64"] * 3 + ["bool"] * 2
    assert all(np.array_equal(getattr(wide, name), field) for name, field in vars(rollout).items())


# All of them


def test_every_public_strategy_is_offered_to_authors():
    public = {
        name
        for name, value in vars(strategies).items()
        if inspect.isfunction(value)
        and value.__module__ == strategies.__name__
        and not name.startswith("_")
    }
    assert public < set(author.__all__)


def test_the_same_seed_draws_the_same():
    one, other = (np.stack(drawn(tensors(3), 20, seed)) for seed in (1, 1))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, np.stack(drawn(tensors(3), 20, 2)))


@pytest.mark.parametrize("batch", [None, (4, 4), (1, 9)])
def test_long_tables_have_ends_of_both_kinds_and_rows_that_differ(batch):
    cases = drawn(long_tables(2, steps=(20, 40), batch=batch))
    for numbers, flags in cases:
        b, t = flags.shape[1:]
        assert numbers.shape == (2, b, t)
        assert 20 <= t <= 40
        assert flags.sum(axis=(0, 2)).max() <= 3
        assert (b == 1) if batch is None else flags.any(axis=(0, 2)).all()
    assert np.any([flags.any(axis=(1, 2)) for _, flags in cases], axis=0).all()
    assert any(len(set(map(bytes, numbers[0]))) == len(numbers[0]) for numbers, _ in cases)

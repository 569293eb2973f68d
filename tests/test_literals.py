"""Literals: what a learner reads is short, and what a replay runs is exactly what was drawn."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrade.author import Array, Rollout
from rlgrade.channel import ITEM_SIZES, Generator, Handle, pack, unpack
from rlgrade.judge.calls import RemoteObject
from rlgrade.judge.literals import SHOWN_ENTRIES, expression, plain, plain_arguments
from rlgrade.judge.values import to_blob
from rlgrade.worker.values import Values, make_tensor

inf, nan = math.inf, math.nan


def evaluated(text):
    """What a replay program would have."""
    return eval(text, {"torch": torch})


def sent(value):
    """What the submission would get."""
    return unpack(pack(value, to_blob), make_tensor)


def same(one, other):
    """Exactly the same types and values; NaN is the same as NaN, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and one.is_contiguous() == other.is_contiguous()
            and repr(one.tolist()) == repr(other.tolist())
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return repr(one) == repr(other)


# Exact


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (1, 1, 2)])
@pytest.mark.parametrize("dtype", ITEM_SIZES)
def test_an_expression_gives_every_dtype_and_shape(dtype, shape):
    array = (np.arange(math.prod(shape)) * 37 / 10).reshape(shape).astype(dtype)
    assert same(evaluated(expression(array)), sent(array))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_an_expression_gives_special_numbers(dtype):
    limits = np.finfo(dtype)
    numbers = [nan, inf, -inf, -0.0, 1 / 3, limits.max, limits.tiny, limits.smallest_subnormal]
    array = np.array(numbers, dtype=dtype)
    assert same(evaluated(expression(array)), sent(array))
    assert all(same(evaluated(expression(number)), sent(number)) for number in array)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_an_expression_gives_the_ends_of_whole_numbers(dtype):
    limits = np.iinfo(dtype)
    array = np.array([limits.min, 0, limits.max], dtype=dtype)
    assert same(evaluated(expression(array)), sent(array))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(data=st.binary(min_size=48, max_size=48))
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_an_expression_gives_any_bits_but_those_of_nan(dtype, data):
    array = np.frombuffer(data, dtype=dtype)
    assert same(evaluated(expression(array)), sent(array))


WIDE = np.arange(24.0, dtype="float32").reshape(2, 3, 4)


@pytest.mark.parametrize(
    "view",
    [
        WIDE[..., ::2],
        WIDE[:, ::2],
        WIDE[..., 1],
        WIDE.T,
        WIDE[::-1],
        WIDE[:, :, :0],
        WIDE[..., :1],
        WIDE[0, 0, ::3].astype("int64")[::-1],
        (WIDE > 3)[:, 1:],
        np.broadcast_to(np.float32(1), (2, 3)),
        np.array([nan, 1, -inf, 2])[::2],
    ],
)
def test_an_expression_gives_a_view_with_gaps(view):
    assert same(evaluated(expression(view)), sent(view))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        10**30,
        0.1,
        -0.0,
        1e-300,
        nan,
        inf,
        -inf,
        "",
        'it\'s "quoted"\n\\ \ud800 é',
        [],
        (),
        (1,),
        {},
        [np.array([1.0, nan]), (np.array(True), {"a": np.zeros((0, 2)), "it's": [nan, (None,)]})],
        {"policy": {"weight": np.eye(2, dtype="float32").T[::-1], "bias": np.float16(0.1)}},
        np.float32(0.1),
        np.float64(0.1),
        np.float64(nan),
        np.int64(-5),
        np.bool_(True),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_an_expression_gives_any_nesting(value):
    assert same(evaluated(expression(value)), sent(value))


def test_an_expression_gives_a_generator_of_the_same_seed():
    one, other = evaluated(expression([Generator(7)]))[0], Values().restore(sent(Generator(7)))
    assert torch.equal(torch.rand(3, generator=one), torch.rand(3, generator=other))


def test_an_object_of_the_worker_goes_by_its_name():
    policy, other = (RemoteObject(None, Handle(number, "Linear")) for number in (3, 5))
    assert expression(policy, {3: "answer_1"}) == "answer_1"
    assert expression([{"p": (policy,)}], {3: "answer_1"}) == "[{'p': (answer_1,)}]"
    assert expression(other, {3: "answer_1"}) == "object_5"
    assert expression(policy) == "object_3"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([0.1, 1], "float32"), "torch.tensor([0.1, 1.0], dtype=torch.float32)"),
        (np.array([[1], [2]]), "torch.tensor([[1], [2]], dtype=torch.int64)"),
        (np.array([True]), "torch.tensor([True], dtype=torch.bool)"),
        (np.zeros((0, 3), "float32"), "torch.empty([0, 3], dtype=torch.float32)"),
        (np.array(nan), "torch.tensor(float('nan'), dtype=torch.float64)"),
        (Generator(7), "torch.Generator().manual_seed(7)"),
        (inf, "float('inf')"),
    ],
)
def test_an_expression_reads_like_code(value, text):
    assert expression(value) == text


# Short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([1, 1], "float32"), "[1, 1]"),
        (np.array([0.1, -0.83, 2.5], "float32"), "[0.1, -0.83, 2.5]"),
        (np.array([0.1, 1 / 3], "float16"), "[0.1, 0.3333]"),
        (np.array([1 / 3]), "[0.333333]"),
        (np.array([[1.5], [2.0]]), "[[1.5], [2]]"),
        (np.array(0.25), "0.25"),
        (np.array([3, -4]), "[3, -4]"),
        (np.array([True, False]), "[True, False]"),
        (np.array([nan, inf, -inf]), "[nan, inf, -inf]"),
        (np.array([1e-7, 1e9]), "[1e-07, 1e+09]"),
        (np.zeros(0), "[]"),
        (np.arange(6.0)[::2], "[0, 2, 4]"),
        (0.99, "0.99"),
        (1.0, "1"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ("gae", "'gae'"),
        ([1.0, [True, "a"]], "[1, [True, 'a']]"),
        ((2, 3), "(2, 3)"),
        ([np.array([1.0]), np.array(2)], "[[1], 2]"),
        (Generator(7), "Generator(seed=7)"),
        (np.float64(0.5), "0.5"),
        (np.float32(0.1), "0.1"),
        (np.int64(3), "3"),
        (np.bool_(True), "True"),
        ({"weight": np.array([1.0, 0.1], "float32"), "bias": 2.0}, "{weight: [1, 0.1], bias: 2}"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_value_is_written_as_on_paper(value, text):
    if isinstance(value, dict):  # quoted keys would do too
        assert plain(value).replace("'", "") == text
    else:
        assert plain(value) == text


def test_a_large_tensor_is_described():
    assert plain(np.zeros(SHOWN_ENTRIES)).startswith("[0, 0, ")
    assert plain(np.zeros((SHOWN_ENTRIES + 1, 2), "float32")) == "float32 tensor of shape [61, 2]"


def test_a_written_tensor_stays_short():
    array = np.random.default_rng(0).normal(size=(6, 10)).astype("float32")
    assert len(plain(array)) < 12 * array.size


@dataclass(frozen=True)
class Case:
    """Drawn arguments that belong together."""

    rewards: Array
    discount: float


def test_arguments_are_listed_by_name_and_a_dataclass_by_its_fields():
    arguments = {"case": Case(np.array([1.0, 2.0]), 0.9), "lam": 1.0, "noise": Generator(3)}
    assert plain_arguments(arguments) == {
        "rewards": "[1, 2]",
        "discount": "0.9",
        "lam": "1",
        "noise": "Generator(seed=3)",
    }


def test_a_rollout_is_listed_by_its_fields():
    flags = np.array([True, False])
    rollout = Rollout(np.ones(2), np.zeros(2), np.zeros(2), flags, ~flags)
    assert plain_arguments({"rollout": rollout}) == {
        "rewards": "[1, 1]",
        "values": "[0, 0]",
        "next_values": "[0, 0]",
        "terminated": "[True, False]",
        "truncated": "[False, True]",
    }


def test_without_arguments_nothing_is_listed():
    assert plain_arguments({}) == {}


def test_a_dataclass_within_another_value_is_shown_field_by_field():
    @dataclass(frozen=True)
    class Script:
        rewards: Array
        ends: tuple[int, ...]

    script = Script(np.zeros(SHOWN_ENTRIES + 1), (2,))
    assert plain([script]) == "[Script(rewards=float64 tensor of shape [61], ends=(2))]"

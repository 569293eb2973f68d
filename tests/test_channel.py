"""The channel: every value comes through whole, and a hostile frame can only be refused."""

import itertools
import json
import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rlgrade.channel import (
    ITEM_SIZES,
    LENGTHS,
    MAX_AXES,
    MAX_DEPTH,
    MAX_PAYLOAD,
    MAX_TEXT,
    Blob,
    ChannelError,
    Generator,
    Handle,
    frame_size,
    pack,
    unpack,
)
from rlgrade.judge.literals import expression
from rlgrade.judge.values import Tensors, to_blob
from rlgrade.worker.values import Values, make_tensor

steady = settings(max_examples=50, deadline=None, derandomize=True, database=None)
make_array = Tensors().make
HUGE = 2**26


def frame_of(text, payload=b""):
    """A frame with this JSON text, which need not be JSON."""
    data = text if isinstance(text, bytes) else text.encode()
    return LENGTHS.pack(len(data), len(payload)) + data + payload


def tensor_frame(*body, payload=b""):
    return frame_of(json.dumps({"tensor": list(body)}), payload)


def round_trip(value):
    return unpack(pack(value, to_blob), make_array)


def read(frame, make=make_array):
    """Read a frame that may be hostile: a value or ChannelError, anything else fails the test."""
    try:
        return unpack(frame, make)
    except ChannelError as error:
        return error


def peak_of(function, *args):
    """The most memory that Python allocated at once while the call ran, in bytes."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def same(one, other):
    """Exactly the same types and values; NaN is the same as NaN, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other


# Round trips


def text_without_pairs(text):
    """JSON cannot tell a surrogate pair from the character it stands for."""
    return not any(
        "\ud800" <= high <= "\udbff" and "\udc00" <= low <= "\udfff"
        for high, low in itertools.pairwise(text)
    )


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(sorted(ITEM_SIZES)))
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    size = math.prod(shape) * ITEM_SIZES[dtype]
    data = draw(st.binary(min_size=size, max_size=size))
    if dtype == "bool":
        data = bytes(octet & 1 for octet in data)
    return np.frombuffer(data, dtype=dtype).reshape(shape)


texts = st.text(st.integers(0, 0x10FFFF).map(chr), max_size=8).filter(text_without_pairs)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | texts
    | arrays()
    | st.builds(Handle, st.integers(0, 2**40), texts)
    | st.builds(Generator, st.integers(0, 2**63 - 1))
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=values)
@steady
def test_every_value_comes_back_as_it_was(value):
    assert same(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**63),
        10**4000,
        -0.0,
        math.nan,
        math.inf,
        -math.inf,
        5e-324,
        "",
        "\x00 \x1f \x7f \u2028 \uffff 😀 é",
        "\ud800",
        "\udfff\ud800",
        (),
        [],
        {},
        {"": [()], "tensor": ["torch", "bool", []], "tuple": [1]},
        ((1,), [1], {"a": (None,)}),
        Handle(0, "Linear"),
        Generator(2**64 - 1),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_plain_values_come_back_as_they_were(value):
    assert same(round_trip(value), value)


def test_a_surrogate_pair_comes_back_as_its_character():
    assert round_trip("\ud83d\ude00") == "\U0001f600"


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3), (1,) * MAX_AXES])
@pytest.mark.parametrize("dtype", ITEM_SIZES)
def test_tensors_go_to_the_worker_and_back(dtype, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    tensor = unpack(pack(array, to_blob), make_tensor)
    assert tensor.dtype == getattr(torch, dtype)
    assert tensor.is_contiguous()
    assert same(unpack(pack(tensor, Values().to_blob), make_array), array)


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf, -0.0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_special_numbers_go_to_the_worker_and_back(dtype, special):
    array = np.array([1.5, special], dtype=dtype)
    tensor = unpack(pack(array, to_blob), make_tensor)
    assert same(unpack(pack(tensor, Values().to_blob), make_array), array)


@pytest.mark.parametrize(
    "view",
    [
        np.arange(6.0)[::2],
        np.arange(6.0).reshape(2, 3).T,
        np.ones((2, 2, 3))[..., :2],
    ],
    ids=["step", "transposed", "axis cut"],
)
def test_a_view_with_gaps_arrives_as_a_tensor_with_gaps(view):
    tensor = unpack(pack(view, to_blob), make_tensor)
    assert not tensor.is_contiguous()
    assert np.array_equal(tensor.numpy(), view)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 1, 3)])
def test_no_two_axes_of_a_tensor_with_gaps_can_be_merged(shape):
    view = np.stack([np.random.default_rng(0).random(shape)] * 2, axis=-1)[..., 0]
    written = eval(expression(view), {"torch": torch})
    for tensor in (unpack(pack(view, to_blob), make_tensor), written):
        assert np.array_equal(tensor.numpy(), view)
        for axis in range(len(shape) - 1):
            if 1 not in shape[axis : axis + 2]:
                with pytest.raises(RuntimeError, match="view"):
                    tensor.view(*shape[:axis], -1, *shape[axis + 2 :])


def test_a_tensor_keeps_its_own_memory():
    frame = bytearray(pack([np.zeros(2)], to_blob))
    (array,) = unpack(frame, make_array)
    frame[:] = b"\xff" * len(frame)
    array += 1
    assert array.tolist() == [1.0, 1.0]


def test_every_tensor_gets_its_own_bytes():
    tensors = [np.full(n, n, dtype=dtype) for n, dtype in enumerate(sorted(ITEM_SIZES))]
    assert same(
        round_trip({"a": tensors[:4], "b": tuple(tensors[4:])}),
        {
            "a": tensors[:4],
            "b": tuple(tensors[4:]),
        },
    )


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}])
def test_nesting_ends_at_the_same_depth_on_both_sides(wrap):
    value = None
    for _ in range(MAX_DEPTH + 1):
        value = wrap(value)
    assert same(round_trip(value), value)
    with pytest.raises(ChannelError, match="nested more than 24 deep"):
        pack(wrap(value), to_blob)


# What has no place in a frame


class WholeNumber(int):
    """Equal to an int, but not one."""


def endless():
    items = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1: "a"},
        {None: "a"},
        {"a": {1, 2}},
        WholeNumber(3),
        b"bytes",
        1j,
        10**5000,
        endless(),
        "x" * (MAX_TEXT + 1),
        np.zeros(MAX_PAYLOAD + 1, dtype="uint8"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(ChannelError):
        pack(value, to_blob)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(2, dtype="complex64"),
        np.array(["text"]),
        np.zeros((1,) * (MAX_AXES + 1)),
        Blob("torch", "float32", (2,), b"1234"),
    ],
    ids=["dtype", "text", "axes", "size"],
)
def test_nothing_is_packed_that_would_not_be_unpacked(value):
    with pytest.raises(ChannelError):
        pack(value, to_blob)


# The size of a frame


@pytest.mark.parametrize("size", range(8))
def test_a_size_is_unknown_before_both_lengths_are_there(size):
    assert frame_size(bytes(size)) is None


def test_a_size_counts_lengths_text_and_payload():
    frame = pack({"a": np.zeros(3)}, to_blob)
    assert frame_size(frame) == len(frame)
    assert frame_size(bytearray(frame[:8])) == len(frame)
    assert frame_size(LENGTHS.pack(MAX_TEXT, MAX_PAYLOAD)) == 8 + MAX_TEXT + MAX_PAYLOAD


@pytest.mark.parametrize(
    "lengths", [(MAX_TEXT + 1, 0), (0, MAX_PAYLOAD + 1), (2**32 - 1, 0), (2**32 - 1, 2**32 - 1)]
)
def test_a_frame_that_claims_too_much_is_refused_before_anything_is_allocated(lengths):
    def refuse():
        with pytest.raises(ChannelError, match="larger than a frame may be"):
            frame_size(LENGTHS.pack(*lengths))

    refuse()  # once before measuring, so that only the call itself counts
    assert peak_of(refuse) < 10_000


# Hostile frames


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("", b""),
        ("nul", b""),
        ("1 2", b""),
        ("[1,]", b""),
        ("'a'", b""),
        ("[" * 10**6, b""),
        ("[" * 10**6 + "]" * 10**6, b""),
        ('{"tuple":' * 10**5, b""),
        ('{"tuple":[' * 50 + "]}" * 50, b""),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), b""),
        ("1" * 5000, b""),
        ("\ufeffnull", b""),
        (b"\xff\xfe", b""),
        (b'"\xc3\x28"', b""),
        (b'"\xed\xa0\x80"', b""),
        ("null".encode("utf-16"), b""),
        ("{}", b""),
        ('{"tuple":[],"dict":{}}', b""),
        ('{"tensor":["torch","bool",[0]],"x":1}', b""),
        ('{"list":[]}', b""),
        ('{"__class__":"os.system"}', b""),
        ('{"":null}', b""),
        ('{"\\ud800":null}', b""),
        ('{"tuple":{}}', b""),
        ('{"dict":[]}', b""),
        ('{"dict":null}', b""),
        ('{"handle":[1]}', b""),
        ('{"handle":["1","x"]}', b""),
        ('{"handle":[true,"x"]}', b""),
        ('{"handle":[1,"x",2]}', b""),
        ('{"generator":1.5}', b""),
        ('{"generator":true}', b""),
        ('{"generator":null}', b""),
        ("null", b"x"),
        ('{"tensor":["torch","uint8",[1]]}', b"xy"),
        ('{"tensor":["torch","uint8",[0]],"tensor":["torch","uint8",[0]]}', b"x"),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_a_frame_against_the_format_is_refused(text, payload):
    with pytest.raises(ChannelError):
        unpack(frame_of(text, payload), make_array)


@pytest.mark.parametrize(
    "body",
    [
        [],
        ["torch", "uint8"],
        ["torch", "uint8", [1], 1],
        ["pickle", "uint8", [1]],
        [["torch"], "uint8", [1]],
        [None, "uint8", [1]],
        ["torch", "object", [1]],
        ["torch", "complex64", [1]],
        ["torch", "bfloat16", [1]],
        ["torch", "float32 ", [1]],
        ["torch", ["uint8"], [1]],
        ["torch", {"uint8": 1}, [1]],
        ["torch", "uint8", 1],
        ["torch", "uint8", "8"],
        ["torch", "uint8", {"tuple": [1]}],
        ["torch", "uint8", [-1]],
        ["torch", "uint8", [-1, -8]],
        ["torch", "uint8", [8.0]],
        ["torch", "uint8", [True] * 3],
        ["torch", "uint8", [None]],
        ["torch", "uint8", [[8]]],
        ["torch", "uint8", [math.nan]],
        ["torch", "uint8", [math.inf]],
        ["torch", "uint8", [9]],
        ["torch", "uint8", [2**63]],
        ["torch", "uint8", [10**300]],
        ["torch", "uint8", [HUGE + 1, 0]],
        ["torch", "uint8", [1] * (MAX_AXES + 1)],
        ["torch", "float64", [2]],
        ["torch", "float64", [HUGE] * MAX_AXES],
        ["torch", "uint8", [2**8] * MAX_AXES],
        ["torch", "float64", [2**20, 2**20, 2**21]],
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_a_tensor_against_the_format_is_refused(body):
    frame = tensor_frame(*body, payload=bytes(8))
    for make in (make_array, make_tensor):
        with pytest.raises(ChannelError):
            unpack(frame, make)


@pytest.mark.parametrize("make", [make_array, make_tensor], ids=["judge", "worker"])
@pytest.mark.parametrize("shape", [[0, HUGE, HUGE, HUGE], [HUGE, HUGE, HUGE, 0]])
def test_an_empty_tensor_of_huge_axes_is_a_value_or_refused(make, shape):
    read(tensor_frame("torch", "float64", shape), make)


@pytest.mark.parametrize("shape", [[1_000_000, 0], [0, 1_000_000], [1000, 0, 1000]])
def test_an_empty_tensor_of_many_rows_is_refused(shape):
    """Its bytes are none, and a list of its rows would take gigabytes."""
    assert isinstance(read(tensor_frame("torch", "int64", shape)), ChannelError)
    assert read(tensor_frame("torch", "int64", [100, 0])).shape == (100, 0)


def test_a_value_is_charged_for_the_memory_it_takes():
    charged = []
    unpack(frame_of("[" + ",".join(["[]"] * 1000) + "]"), make_array, charged.append)
    assert charged == [64 * 1001]


def test_a_bool_is_zero_or_one_whatever_byte_came():
    frame = tensor_frame("torch", "bool", [4], payload=b"\x00\x01\x02\xff")
    array = unpack(frame, make_array)
    assert array.view(np.uint8).tolist() == [0, 1, 1, 1]
    assert (array & np.array([True] * 4)).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", math.nan),
        ("[Infinity, -Infinity]", [math.inf, -math.inf]),
        ("1e999", math.inf),
        ("-0.0", -0.0),
        (" [ ] ", []),
        ('{"tuple":[1],"tuple":[2]}', (2,)),
        ('{"dict":{"a":1,"a":2}}', {"a": 2}),
        ('{"dict":{"tuple":{"tuple":[]}}}', {"tuple": ()}),
        ('"\\ud800"', "\ud800"),
        ('{"handle":[-1,""]}', Handle(-1, "")),
        ('{"handle":[1,"' + "x" * 500 + '"]}', Handle(1, "x" * 80)),
    ],
)
def test_odd_frames_that_the_format_allows_give_plain_values(text, value):
    assert same(unpack(frame_of(text), make_array), value)


def test_a_frame_cut_off_anywhere_is_a_value_or_refused():
    whole = pack({"a": [np.arange(3.0), "text"]}, to_blob)
    for size in range(8, len(whole)):
        assert isinstance(read(whole[:size]), ChannelError), size


@pytest.mark.parametrize("size", [0, 7])
def test_a_frame_cut_off_in_its_lengths_is_refused(size):
    assert isinstance(read(pack([1, 2], to_blob)[:size]), ChannelError)


@given(text=st.binary(max_size=60), payload=st.binary(max_size=20))
@steady
def test_bytes_as_text_are_a_value_or_refused(text, payload):
    read(frame_of(text, payload))


@given(frame=st.binary(min_size=8, max_size=80))
@steady
def test_bytes_as_a_frame_are_a_value_or_refused(frame):
    read(frame)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["torch", "strided", "numpy", *ITEM_SIZES])
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["tuple", "dict", "handle", "generator", "tensor"]) | texts,
            inner,
            min_size=1,
            max_size=2,
        )
    ),
    max_leaves=15,
)
tensor_bodies = st.tuples(
    st.sampled_from(["torch", "strided", "numpy"]),
    st.sampled_from(sorted(ITEM_SIZES)),
    st.lists(st.sampled_from([0, 1, 2, 3, HUGE, HUGE - 1, 2**21]), max_size=MAX_AXES),
)


@given(tree=json_values, payload=st.binary(max_size=20))
@steady
def test_any_json_is_a_value_or_refused(tree, payload):
    read(frame_of(json.dumps(tree), payload))


@given(body=tensor_bodies, payload=st.binary(max_size=30))
@settings(steady, max_examples=100)
def test_any_tensor_is_a_value_or_refused(body, payload):
    read(tensor_frame(*body, payload=payload))
    read(tensor_frame(*body, payload=payload), make_tensor)


@given(
    value=values,
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    keep_lengths=st.booleans(),
)
@steady
def test_a_spoilt_frame_is_a_value_or_refused(value, changes, keep_lengths):
    frame = bytearray(pack(value, to_blob))
    first = 8 if keep_lengths else 0
    assume(len(frame) > first)
    for place, octet in changes:
        frame[first + place % (len(frame) - first)] = octet
    read(frame)
    read(bytes(frame) + b"more")


# Memory


def test_a_claimed_shape_allocates_nothing():
    frame = tensor_frame("torch", "float64", [HUGE // 8], payload=bytes(8))
    assert isinstance(read(frame), ChannelError)
    assert peak_of(read, frame) < 20_000


@pytest.mark.parametrize(
    "item",
    ["[]", '{"dict":{}}', '{"tuple":[]}', "[[[[]]]]", '{"tensor":["torch","bool",[0]]}', "0"],
)
def test_memory_stays_in_proportion_to_the_bytes_that_came(item):
    count = 30_000 // len(item)
    frame = frame_of("[" + ",".join([item] * count) + "]")
    assert len(read(frame)) == count
    assert peak_of(read, frame) < 80 * len(frame)


def test_deep_nesting_is_refused_in_little_memory():
    frame = frame_of("[" * 10**6)
    assert peak_of(read, frame) < 10 * len(frame)

"""Expectations: an answer passes only if it is as promised, and the sentence says what is not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlgrade.author import (
    SubmissionRaised,
    Unmet,
    described,
    expect,
    expect_close,
    expect_dtype,
    expect_equal,
    expect_no_gradient,
    expect_raises,
    expect_shape,
    number,
)
from rlgrade.channel import Handle
from rlgrade.judge.calls import RemoteObject

inf, nan = math.inf, math.nan


def f32(*values):
    return np.array(values, dtype="float32")


def sentence_of(expectation, *args, **kwargs):
    """What the learner reads."""
    with pytest.raises(Unmet) as caught:
        expectation(*args, **kwargs)
    return str(caught.value)


def passes(expectation, *args, **kwargs):
    try:
        expectation(*args, **kwargs)
    except Unmet:
        return False
    return True


# Closeness


@pytest.mark.parametrize(
    ("actual", "expected", "sentence"),
    [
        (f32(1.9405, 1.0), [1.0, 1.0], "advantages[0] should be 1.0; yours is 1.9405"),
        (f32(1, 2, 3), [1, 2, -3], "advantages[2] should be -3.0; yours is 3.0"),
        (f32(1, 2).reshape(1, 2), [[1, 1.5]], "advantages[0, 1] should be 1.5; yours is 2.0"),
        (np.array(0.25), 0.5, "advantages should be 0.5; yours is 0.25"),
        (0.25, 0.5, "advantages should be 0.5; yours is 0.25"),
        (3, 4, "advantages should be 4.0; yours is 3.0"),
        (f32(nan), [1.0], "advantages[0] should be 1.0; yours is nan"),
        (f32(inf), [1.0], "advantages[0] should be 1.0; yours is inf"),
        (f32(1.0), [-inf], "advantages[0] should be -inf; yours is 1.0"),
        (f32(1 / 3), [2 / 3], "advantages[0] should be 0.6667; yours is 0.3333"),
        (f32(0.00001234), [0.5], "advantages[0] should be 0.5; yours is 1.234e-05"),
        (f32(2.5e6), [0.5], "advantages[0] should be 0.5; yours is 2.5e+06"),
        (np.array([1, 0]), [1, 1], "advantages[1] should be 1.0; yours is 0.0"),
        (f32(1, 2, 3), [1, 2], "advantages should have shape [2]; yours has [3]"),
        (f32(1, 2), [[1, 2]], "advantages should have shape [1, 2]; yours has [2]"),
        (f32(1), 1.0, "advantages should have shape []; yours has [1]"),
        (None, [1.0], "advantages should be a tensor of shape [1]; yours is None"),
        (None, 1.0, "advantages should be a scalar tensor; yours is None"),
        ([1.0], [1.0], "advantages should be a tensor of shape [1]; yours is a list of 1"),
        ((1.0,), [1.0], "advantages should be a tensor of shape [1]; yours is a tuple of 1"),
        ({"a": 1}, [1.0], "advantages should be a tensor of shape [1]; yours is a dict of 1"),
        ("1.0", 1.0, "advantages should be a scalar tensor; yours is the str '1.0'"),
        (True, 1.0, "advantages should be a scalar tensor; yours is the bool True"),
        (1.0, np.array(1.0), "advantages should be a scalar tensor; yours is the float 1.0"),
    ],
)
def test_the_sentence_names_the_entry_and_both_numbers(actual, expected, sentence):
    assert sentence_of(expect_close, "advantages", actual, expected) == sentence


def test_the_location_holds_no_number():
    with pytest.raises(Unmet) as caught:
        expect_close("advantages", f32(1, 2), [1, 3])
    assert caught.value.location == "advantages"


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (f32(1, 2), [1, 2]),
        (f32(1, 2), np.array([1.0, 2.0])),
        (f32(1, 2).astype("float64"), f32(1, 2)),
        (np.array([1, 2]), [1.0, 2.0]),
        (np.array(1.5, "float32"), 1.5),
        (1.5, 1.5),
        (2, 2.0),
        (1.5, np.float64(1.5)),
        (np.array(1.5), np.array(1.5)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (f32(inf, -inf, 1), [inf, -inf, 1]),
        (f32(1.00005), [1.0]),
        (f32(1e-6), [0.0]),
        (f32(-0.0), [0.0]),
    ],
)
def test_close_answers_pass(actual, expected):
    expect_close("x", actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (f32(1, 1, 1), 1.0),
        (f32(1), [1, 1, 1]),
        (np.ones((3, 1)), np.ones((1, 3))),
        (np.ones((1, 3)), np.ones(3)),
        (1.0, [1.0, 1.0]),
        (np.array(1.0), [1.0]),
        (np.zeros((0, 3)), np.zeros((3, 0))),
        (np.zeros(0), 0.0),
    ],
)
def test_nothing_is_broadcast(actual, expected):
    assert "shape" in sentence_of(expect_close, "x", actual, expected)


def test_shapes_come_before_values():
    assert "shape" in sentence_of(expect_close, "x", f32(nan, 7), [1, 2, 3])


@pytest.mark.parametrize("expected", [nan, 0.0, 1e300, inf, -inf])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: np.array([x]), lambda x: np.array([0, x])])
def test_nan_never_passes(wrap, expected):
    assert not passes(expect_close, "x", wrap(nan), wrap(expected))


def test_an_expected_nan_condemns_no_other_entry():
    sentence = sentence_of(expect_close, "x", f32(1, 5), [1, nan])
    assert sentence == "x[1] should be nan; yours is 5.0"


@pytest.mark.parametrize("actual", [0.0, 1e300, -1e300, nan, -inf])
def test_inf_equals_inf_only(actual):
    assert not passes(expect_close, "x", np.array([actual]), [inf])
    assert not passes(expect_close, "x", actual, inf)
    assert not passes(expect_close, "x", np.array([-actual]), [-inf])
    assert not passes(expect_close, "x", np.array([inf]), [actual])


def test_an_infinite_entry_excuses_no_finite_one():
    sentence = sentence_of(expect_close, "log_probs", f32(-inf, -9), [-inf, -0.5])
    assert sentence == "log_probs[1] should be -0.5; yours is -9.0"


def test_the_tolerance_is_relative_to_the_largest_expected_entry():
    expect_close("x", f32(0.005, 100), [0, 100])
    assert not passes(expect_close, "x", f32(0.02, 100), [0, 100])
    assert not passes(expect_close, "x", f32(0.005, 1), [0, 1])
    assert not passes(expect_close, "gradient", f32(0.0), [0.0056])
    assert not passes(expect_close, "gradient", f32(0.0), [0.0001])


def test_the_tolerance_does_not_grow_with_the_answer():
    assert not passes(expect_close, "x", f32(0.5, 1e9), [0, 1])


def test_tolerances_can_be_set():
    assert passes(expect_close, "x", f32(1.05), [1.0], rtol=0.1)
    assert passes(expect_close, "x", f32(0.05), [0.0], atol=0.1)
    assert passes(expect_close, "x", f32(0.005), [0.0], scale=100.0)
    assert not passes(expect_close, "x", np.array([1.00001]), [1.0], rtol=0.0, atol=0.0)
    assert not passes(expect_close, "x", f32(100.005), [100.0], scale=1.0)
    assert passes(expect_close, "x", f32(1.0, inf), [1.0, inf], rtol=0.0, atol=0.0)


def two_numbers(sentence):
    wanted, _, got = sentence.partition(" should be ")[2].partition("; yours is ")
    return wanted, got


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (0.00102, 0.001, {}),
        (0.00564, 0.0056, {}),
        (2.00001, 2.0, {"rtol": 0.0, "atol": 1e-6}),
        (1000001.0, 1000900.0, {"rtol": 1e-5}),
        (1.00005, 1.00004, {"rtol": 0.0, "atol": 1e-6}),
    ],
)
def test_the_two_numbers_of_a_sentence_differ(actual, expected, options):
    wanted, got = two_numbers(
        sentence_of(expect_close, "x", np.array([actual]), [expected], **options)
    )
    assert float(wanted) != float(got)


@given(
    expected=st.floats(-1e7, 1e7) | st.floats(-1, 1),
    change=st.floats(-1e-3, 1e-3) | st.floats(-1e-4, 1e-4),
)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_the_two_numbers_of_any_sentence_differ(expected, change):
    try:
        expect_close("x", expected + change, expected)
    except Unmet as unmet:
        wanted, got = two_numbers(str(unmet))
        assert float(wanted) != float(got)


@pytest.mark.parametrize(
    "actual",
    [
        np.array([1.7e308]),
        np.frombuffer(b"\x01\x00\x80\x7f", dtype="float32"),
        np.array([2**63 - 1]),
        np.array([True]),
        np.array([255], "uint8"),
        np.array([6e4], "float16"),
        10**400,
        -(10**4000),
        2**70,
        RemoteObject(None, Handle(0, "Linear")),
        [np.array([1.0]), None],
        "x" * 10**6,
        {"a": [1]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_answer_is_met_with_a_sentence(actual):
    expected = [-1.7e308] if isinstance(actual, np.ndarray) else -1.0
    assert len(sentence_of(expect_close, "x", actual, expected)) < 200


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"),
        (1.0, "1.0"),
        (-12.0, "-12.0"),
        (999999.0, "999999.0"),
        (0.5, "0.5"),
        (1.9405, "1.9405"),
        (1.94054, "1.9405"),
        (-2.25, "-2.25"),
        (123.456789, "123.4568"),
        (0.001, "0.001"),
        (0.0005, "0.0005"),
        (0.00012345678, "0.0001235"),
        (1e-7, "1e-07"),
        (1e6, "1e+06"),
        (1234567.0, "1.235e+06"),
        (inf, "inf"),
        (-inf, "-inf"),
        (nan, "nan"),
        (np.float32(0.1), "0.1"),
        (np.array(0.1, "float32"), "0.1"),
    ],
)
def test_a_number_is_written_as_a_person_would(value, text):
    assert number(value) == text


@given(value=st.floats(-1e300, 1e300))
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_a_written_number_is_short_and_near(value):
    text = number(value)
    assert len(text) <= 12
    assert float(text) == pytest.approx(value, rel=1e-3, abs=1e-3)


# What an answer is


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (f32(1, 2), "a tensor of shape [2] and dtype float32"),
        (np.array(True), "a tensor of shape [] and dtype bool"),
        (RemoteObject(None, Handle(3, "Linear")), "an object of type Linear"),
        ([1, 2], "a list of 2"),
        ((), "a tuple of 0"),
        ({"a": 1}, "a dict of 1"),
        (3, "the int 3"),
        (True, "the bool True"),
        (0.5, "the float 0.5"),
        ("no", "the str 'no'"),
        ("x" * 100, "the str '" + "x" * 36 + "..."),
    ],
    ids=lambda value: None,
)
def test_an_answer_is_described_in_a_few_words(value, text):
    assert described(value) == text


# Shapes and dtypes


def test_a_shape_is_exact():
    expect_shape("x", np.zeros((2, 3)), (2, 3))
    expect_shape("x", np.zeros(()), ())
    assert sentence_of(expect_shape, "x", np.zeros((2, 3)), (3, 2)) == (
        "x should have shape [3, 2]; yours has [2, 3]"
    )
    assert sentence_of(expect_shape, "x", np.zeros(1), ()) == (
        "x should have shape []; yours has [1]"
    )
    assert sentence_of(expect_shape, "x", 1.0, ()) == (
        "x should be a scalar tensor; yours is the float 1.0"
    )


def test_a_dtype_is_exact():
    expect_dtype("mask", np.array([True]), "bool")
    assert sentence_of(expect_dtype, "mask", np.array([1]), "bool") == (
        "mask should have dtype bool; yours has int64"
    )
    assert sentence_of(expect_dtype, "mask", [True], "bool") == (
        "mask should be a bool tensor; yours is a list of 1"
    )


# Equality


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (True, True),
        (3, 3),
        ("yes", "yes"),
        ([1, 2], [1, 2]),
        ([], []),
        ((1, [True]), (1, [True])),
        ({"a": 1}, {"a": 1}),
        (None, None),
        (np.array([1, 2]), np.array([1, 2])),
        (np.array([True, False]), np.array([True, False])),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        (f32(inf, -0.0), f32(inf, 0.0)),
        ([np.array([1, 2])], [np.array([1, 2])]),
    ],
)
def test_equal_answers_pass(actual, expected):
    expect_equal("x", actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "sentence"),
    [
        (4, 3, "x should be 3; yours is the int 4"),
        (3.0, 3, "x should be 3; yours is the float 3.0"),
        (1, True, "x should be True; yours is the int 1"),
        (True, 1, "x should be 1; yours is the bool True"),
        ("no", "yes", "x should be 'yes'; yours is the str 'no'"),
        ((1, 2), [1, 2], "x should be [1, 2]; yours is a tuple of 2"),
        ([1], [1, 2], "x should be [1, 2]; yours is a list of 1"),
        (None, 3, "x should be 3; yours is None"),
        (np.array(3), 3, "x should be 3; yours is a tensor of shape [] and dtype int64"),
        (3, np.array(3), "x should be a scalar tensor; yours is the int 3"),
        ([1], np.array([1]), "x should be a tensor of shape [1]; yours is a list of 1"),
        (np.array([1, 5]), np.array([1, 2]), "x[1] should be 2; yours is 5"),
        (np.array([[1, 5]]), np.array([[1, 2]]), "x[0, 1] should be 2; yours is 5"),
        (np.array(1), np.array(2), "x should be 2; yours is 1"),
        (np.array([True]), np.array([False]), "x[0] should be False; yours is True"),
        (f32(0.5), f32(0.25), "x[0] should be 0.25; yours is 0.5"),
        (f32(nan), f32(nan), "x[0] should be nan; yours is nan"),
        (f32(1, 1), f32(1), "x should have shape [1]; yours has [2]"),
        (f32(1), f32(1, 1), "x should have shape [2]; yours has [1]"),
    ],
)
def test_unequal_answers_are_named(actual, expected, sentence):
    assert sentence_of(expect_equal, "x", actual, expected) == sentence


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1, 0], [True, False]),
        ([1.0], [1]),
        ((1, [True]), (1, [1])),
        ([np.array([1, 2])], [np.array([1, 3])]),
        ([np.array([1, 2])], [1]),
        ([np.array([1, 2]), 3], [3, 3]),
        ({"a": True}, {"a": 1}),
        (RemoteObject(None, Handle(0, "Linear")), 1),
    ],
    ids=lambda value: None,
)
def test_equality_is_exact_inside_lists_too(actual, expected):
    assert sentence_of(expect_equal, "x", actual, expected).startswith("x")


# Gradients


def test_no_gradient_is_none_or_zero_everywhere():
    expect_no_gradient("values", None)
    expect_no_gradient("values", f32(0, 0))
    expect_no_gradient("values", f32(-0.0))
    expect_no_gradient("values", np.zeros((0, 2)))
    expect_no_gradient("policy", {"weight": None, "bias": f32(0)})
    expect_no_gradient("policy", {})


@pytest.mark.parametrize(
    ("gradient", "sentence"),
    [
        (f32(0, -0.25, 0.1), "no gradient should reach values; yours is 0.25"),
        (np.array(2.0), "no gradient should reach values; yours is 2.0"),
        (f32(1e-12), "no gradient should reach values; yours is 1e-12"),
        (f32(nan), "no gradient should reach values; yours is nan"),
        (
            {"weight": None, "bias": f32(0, 3)},
            "no gradient should reach values.bias; yours is 3.0",
        ),
        (
            {"actor": {"0.weight": f32(0.5)}},
            "no gradient should reach values.actor.0.weight; yours is 0.5",
        ),
    ],
)
def test_a_gradient_is_named_with_its_size(gradient, sentence):
    assert sentence_of(expect_no_gradient, "values", gradient) == sentence


# Exceptions


def raised(*types, message="rewards must be [B, T], got [3]"):
    return SubmissionRaised("gae", list(types), message, [(31, "gae")])


def value_error(**options):
    return raised("ValueError", "Exception", "BaseException", **options)


def test_the_right_exception_passes():
    with expect_raises(ValueError):
        raise SubmissionRaised("f", ["ValueError"], "n", [])
    with expect_raises(ValueError):
        raise value_error()
    with expect_raises(ValueError, naming="rewards"):
        raise value_error()


def test_a_refusal_says_both_shapes_in_whatever_words():
    shapes = ([2, 3], [2, 1])
    for words in ("values: (2, 1), not (2, 3)", "values should have 2 x 3 entries, got 2 by 1"):
        with expect_raises(ValueError, naming="values", shapes=shapes):
            raise SubmissionRaised("f", ["ValueError"], words, [])
    for words, what in (("values is [2, 1]", "was expected"), ("values is no [2, 3]", "came")):
        with (
            pytest.raises(Unmet, match=f"say that the shape .* {what}"),
            expect_raises(ValueError, naming="values", shapes=shapes),
        ):
            raise SubmissionRaised("f", ["ValueError"], words, [])


def test_an_exception_of_a_subclass_passes():
    with expect_raises(ValueError):
        raise raised("UnicodeError", "ValueError", "Exception", "BaseException")


def test_another_exception_goes_on():
    other = raised("TypeError", "Exception", "BaseException")
    with pytest.raises(SubmissionRaised) as caught, expect_raises(ValueError, naming="rewards"):
        raise other
    assert caught.value is other


def test_the_judge_s_own_exception_goes_on():
    with pytest.raises(ValueError, match="ours"), expect_raises(ValueError):
        raise ValueError("ours")
    with pytest.raises(Unmet, match="shape"), expect_raises(AssertionError):
        expect_shape("x", None, (2,))


def test_a_message_that_does_not_name_the_argument_is_quoted():
    def call():
        with expect_raises(ValueError, naming="rewards"):
            raise value_error(message="bad shape")

    assert sentence_of(call) == (
        "the message of the ValueError should name `rewards`; yours is 'bad shape'"
    )


def test_a_call_that_returns_is_told_so():
    def call(**options):
        with expect_raises(ValueError, **options):
            pass

    assert sentence_of(call) == "this call should raise a ValueError; yours returned"
    assert sentence_of(call, naming="rewards") == (
        "this call should raise a ValueError that names `rewards`; yours returned"
    )


def test_an_exception_of_the_submission_says_its_type_and_message():
    error = value_error()
    assert str(error) == "ValueError: rewards must be [B, T], got [3]"
    assert (error.function, error.frames) == ("gae", [(31, "gae")])


# Claims


def test_a_claim_that_does_not_hold_fails_with_its_message():
    expect(True, "never read")
    with pytest.raises(Unmet, match=r"^rows sum to one$") as caught:
        expect(np.bool_(False), "rows sum to one")
    assert caught.value.location == "rows sum to one"
    with pytest.raises(Unmet) as caught:
        expect(False, "row 3 sums to 2", "row sums")
    assert caught.value.location == "row sums"

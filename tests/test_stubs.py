"""Stubs: what the markers hide vanishes, and a marker in any wrong form is refused by its line."""

import inspect

import pytest

from rlgrade.stubs import BEGIN, END, MarkerError, hidden_lines, make_stub

SOLUTION = f'''"""Sums."""

import math

{BEGIN}
def _helper(x):
    return math.fsum(x)
{END}


def total(numbers: list[float], *, scale: float = 2.0) -> float:
    """Sum up.

        s = scale * sum(numbers)
    """
    {BEGIN}
    secret = _helper(numbers)

    if secret:
        return scale * secret
    {END}


class Counter:
    """Counts."""

    def count(self, *words: str) -> int:
        """How many."""
        {BEGIN}
        return len(words)
        {END}
'''
STUB = '''"""Sums."""

import math


def total(numbers: list[float], *, scale: float = 2.0) -> float:
    """Sum up.

        s = scale * sum(numbers)
    """
    raise NotImplementedError


class Counter:
    """Counts."""

    def count(self, *words: str) -> int:
        """How many."""
        raise NotImplementedError
'''


def function_of(*lines, rest=""):
    """The source of a function with these lines, one to a line from line 2 on."""
    return "\n".join(["def f():", *lines]) + "\n" + rest


def run(source):
    namespace = {"__name__": "sums"}
    exec(compile(source, "sums.py", "exec"), namespace)
    return namespace


def test_a_stub_is_the_solution_without_its_regions():
    assert make_stub(SOLUTION, "sums.py") == STUB


def test_hidden_lines_are_those_between_the_markers():
    assert hidden_lines(SOLUTION, "sums.py") == [
        "def _helper(x):",
        "return math.fsum(x)",
        "secret = _helper(numbers)",
        "if secret:",
        "return scale * secret",
        "return len(words)",
    ]


def test_a_stub_keeps_signatures_and_docstrings():
    solution, stub = run(SOLUTION), run(make_stub(SOLUTION, "sums.py"))
    for name in ("total", "Counter"):
        assert inspect.getdoc(stub[name]) == inspect.getdoc(solution[name])
    assert inspect.signature(stub["total"]) == inspect.signature(solution["total"])
    count, theirs = stub["Counter"].count, solution["Counter"].count
    assert inspect.signature(count) == inspect.signature(theirs)
    assert count.__doc__ == theirs.__doc__


def test_a_stub_raises_when_it_is_called():
    stub = run(make_stub(SOLUTION, "sums.py"))
    with pytest.raises(NotImplementedError):
        stub["total"]([1.0])
    with pytest.raises(NotImplementedError):
        stub["Counter"]().count()


def test_a_region_at_the_top_level_vanishes():
    assert "_helper" not in run(make_stub(SOLUTION, "sums.py"))
    assert make_stub(f"a = 1\n{BEGIN}\nb = 2\n{END}\nc = 3\n", "sums.py") == "a = 1\nc = 3\n"


def test_code_around_a_region_of_a_function_stays():
    source = function_of("    a = 1", f"    {BEGIN}", "    a = 2", f"    {END}", "    return a")
    assert make_stub(source, "f.py") == (
        "def f():\n    a = 1\n    raise NotImplementedError\n    return a\n"
    )


def test_an_empty_region_and_one_at_the_end_of_the_file_are_regions():
    source = f"{BEGIN}\n{END}\ndef f():\n    {BEGIN}\n    return 1\n    {END}"
    assert make_stub(source, "f.py") == "def f():\n    raise NotImplementedError\n"


def test_a_stub_with_tabs_is_indented_with_tabs():
    stub = make_stub(function_of(f"\t{BEGIN}", "\treturn 1", f"\t{END}"), "f.py")
    assert stub == "def f():\n\traise NotImplementedError\n"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_line_ends_of_the_stub_are_newlines(newline):
    source = function_of(f"    {BEGIN}", "    return 1", f"    {END}").replace("\n", newline)
    assert make_stub(source, "f.py") == "def f():\n    raise NotImplementedError\n"


@pytest.mark.parametrize("character", ["\x0c", "\x1c", "\x85", "\u2028"], ids=ascii)
def test_a_character_that_ends_no_line_of_python_ends_none_here(character):
    head = f"s = 'a{character}b'\n"
    source = head + function_of(f"    {BEGIN}", "    return 1", f"    {END}")
    assert make_stub(source, "f.py") == head + "def f():\n    raise NotImplementedError\n"
    with pytest.raises(MarkerError, match=r"f\.py:6: "):
        make_stub(source + END + "\n", "f.py")


@pytest.mark.parametrize(
    ("line", "source"),
    [
        # not on a line of its own
        (2, function_of(f"    x = 1  {BEGIN}", "    y", f"    {END}")),
        (4, function_of(f"    {BEGIN}", "    y", f"    return 1  {END}")),
        (2, function_of(f"    {BEGIN} here", "    y", f"    {END}")),
        (2, function_of(f'    """{BEGIN}"""', f"    {BEGIN}", "    y", f"    {END}")),
        (2, function_of(f"    {BEGIN} {END}")),
        # nested
        (3, function_of(f"    {BEGIN}", f"    {BEGIN}", f"    {END}", f"    {END}")),
        (4, function_of(f"    {BEGIN}", "    if x:", f"        {BEGIN}", f"        {END}")),
        # unmatched
        (2, function_of(f"    {BEGIN}", "    y")),
        (2, function_of(f"    {END}", "    y")),
        (5, function_of(f"    {BEGIN}", "    y", f"    {END}", f"    {END}")),
        (3, function_of(f"    {END}", f"    {BEGIN}").replace("def f():", "def f():\n    pass")),
        (5, function_of(f"    {BEGIN}", "    y", f"    {END}", f"    {BEGIN}")),
        # in another column
        (4, function_of(f"    {BEGIN}", "    y", END)),
        (4, function_of(f"    {BEGIN}", "    y", f"        {END}")),
        (4, function_of(f"    {BEGIN}", "    y", f"\t{END}")),
        # none
        (1, "def f():\n    return 1\n"),
        (1, ""),
    ],
)
def test_a_marker_in_the_wrong_place_is_refused_by_its_line(line, source):
    for function in (make_stub, hidden_lines):
        with pytest.raises(MarkerError) as caught:
            function(source, "sums.py")
        assert str(caught.value).startswith(f"sums.py:{line}: ")


@pytest.mark.parametrize(
    "misspelt",
    [
        ("#BEGIN SOLUTION", "#END SOLUTION"),
        ("# Begin Solution", "# End Solution"),
        ("# begin solution", "# end solution"),
        ("#  BEGIN SOLUTION", "#  END SOLUTION"),
        ("# BEGIN  SOLUTION", "# END  SOLUTION"),
        ("# BEGINSOLUTION", "# ENDSOLUTION"),
        ("#\tBEGIN\tSOLUTION", "#\tEND\tSOLUTION"),
        ("## BEGIN SOLUTION", "## END SOLUTION"),
        ("# BEGIN SOLUTION:", "# END SOLUTION."),
        ("# BEGIN: SOLUTION", "# END: SOLUTION"),
        ("# BEGIN_SOLUTION", "# END_SOLUTION"),
        ("# begin solution (sums)", "# end solution (sums)"),
        ("## begin solution", "## end solution"),
        ("x = 1  #BEGIN SOLUTION", "y = 1  #END SOLUTION"),
        ("x = 1  # Begin Solution", "y = 1  # End Solution"),
    ],
    ids=lambda pair: ascii(pair[0]),
)
def test_a_misspelt_marker_is_refused_beside_good_ones(misspelt):
    begin, end = misspelt
    good = f"\ndef g():\n    {BEGIN}\n    return 1\n    {END}\n"
    source = function_of(f"    {begin}", "    secret = 1", f"    {end}", rest=good)
    with pytest.raises(MarkerError) as caught:
        make_stub(source, "sums.py")
    assert str(caught.value).startswith("sums.py:2: ")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (function_of("    #BEGIN SOLUTION"), f"write `{BEGIN}` or `{END}` exactly"),
        (function_of(f"    {BEGIN}", "    y"), f"no `{END}` after this line"),
        (function_of(f"    {END}"), f"no `{BEGIN}` before this line"),
        (function_of(f"    {BEGIN}", f"    {BEGIN}"), "the region of line 2 is still open"),
        (function_of(f"    {BEGIN}", END), "indent as the marker of line 2"),
        (function_of(f"    y  {BEGIN}"), "a marker stands on a line of its own"),
        (function_of("    y"), f"no `{BEGIN}` in this file"),
    ],
)
def test_the_refusal_says_what_to_do(source, problem):
    with pytest.raises(MarkerError) as caught:
        make_stub(source, "f.py")
    assert str(caught.value).endswith(f": {problem}")

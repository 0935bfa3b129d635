"""Which solutions pass, and which tests are worth something; in the sandbox."""

from __future__ import annotations

from distill.programs.trial import trial
from distill.sandbox.outcome import Limits

LIMITS = Limits(seconds=3)
RIGHT = "def double(x):\n    return x + x\n"
WRONG = "def double(x):\n    return x + 2\n"
TESTS = "assert double(2) == 4\nassert double(5) == 10\nassert double('a') == 'aa'\n"


def test_a_right_solution_passes_and_a_wrong_one_does_not() -> None:
    result = trial([WRONG, RIGHT, "def half(x): return x / 2"], "double", TESTS, LIMITS)
    assert result.passed == (False, True, False) and result.best == 1
    assert "AssertionError" in result.why[0] and result.why[1] == "" and "NameError" in result.why[2]
    assert not result.vacuous and result.rejected == result.mutants == 2


def test_tests_that_any_program_passes_are_vacuous() -> None:
    for tests in ("assert callable(double)", "assert True\ndouble(2)", "assert double(0) == 0", "x = 1"):
        result = trial([RIGHT], "double", tests, LIMITS)
        assert result.passed == (True,) and "def double" in result.vacuous, tests


def test_weak_tests_leave_faults_standing() -> None:
    result = trial(
        ["def size(x):\n    return 3 if x > 10 else 2 if x > 5 else 1\n"],
        "size",
        "assert size(20) == 3\nassert size(1) == 1",
        LIMITS,
    )
    assert not result.vacuous and 0 < result.rejected < result.mutants


def test_nothing_passes() -> None:
    result = trial([WRONG, "def double(x):\n    while True: pass\n"], "double", TESTS, Limits(seconds=1))
    assert result.best is None and result.why[1].startswith("timeout") and result.mutants == 0

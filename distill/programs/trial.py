"""solutions and tests -> which solutions pass, and whether the tests can tell right from wrong.

Everything is run in the sandbox, each program in a process of its own. Tests that a solution passes are worth nothing if a
program that does nothing passes them too. This module knows nothing of who wrote what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.programs.mutants import mutants, trivial
from distill.sandbox.outcome import Limits
from distill.sandbox.run import check

MUTANTS = 8
"""Programs with a fault that the tests are tried on."""


@dataclass(frozen=True)
class Trial:
    """What became of some solutions and one set of tests."""

    passed: tuple[bool, ...]
    """Of each solution."""
    why: tuple[str, ...]
    """Of each solution, what went wrong; empty where nothing did."""
    vacuous: str = ""
    """A program that does nothing and passes."""
    rejected: int = 0
    """Programs with a fault that were told from the first solution that passed."""
    mutants: int = 0
    """Of so many."""

    @property
    def best(self) -> int | None:
        """Place of the first solution that passed."""
        return self.passed.index(True) if any(self.passed) else None


def trial(solutions: Sequence[str], name: str, tests: str, limits: Limits) -> Trial:
    """Try the solutions, and then the tests themselves on programs made of the first solution that passed.

    Args:
        name: what the tests call.
    """
    outcomes = [check(solution, tests, limits) for solution in solutions]
    passed = tuple(outcome.status == "passed" for outcome in outcomes)
    why = tuple(f"{one.status}: {one.detail}" if one.status != "passed" else "" for one in outcomes)
    if not any(passed):
        return Trial(passed, why)
    solution = solutions[passed.index(True)]
    for program in trivial(solution, name):
        if check(program, tests, limits).status == "passed":
            return Trial(passed, why, vacuous=program)
    wrong = mutants(solution, MUTANTS)
    rejected = sum(check(program, tests, limits).status != "passed" for program in wrong)
    return Trial(passed, why, rejected=rejected, mutants=len(wrong))

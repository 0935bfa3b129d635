"""Real problems with known answers: the sandbox says of each what an ordinary interpreter says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from distill.sandbox.outcome import Limits
from distill.sandbox.run import check
from tests.sandbox.human_eval_cases import Case, mutants, passes_elsewhere, references

SECONDS = 2
LIMITS = Limits(seconds=SECONDS)
PER_PROBLEM = 2


def passes(case: Case) -> bool:
    return check(case.solution, case.tests, LIMITS).status == "passed"


def verdicts(cases: list[Case]) -> tuple[list[bool], list[bool]]:
    """Ours, and those of an ordinary interpreter."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(passes, cases)), list(pool.map(lambda case: passes_elsewhere(case, SECONDS), cases))


def test_some_references_pass_and_their_mutants_fail() -> None:
    sample = references()[::7]
    wrong = [mutant for case in sample for mutant in mutants(case, 1)]
    ours, elsewhere = verdicts([*sample, *wrong])
    assert ours[: len(sample)] == [True] * len(sample)
    assert ours == elsewhere
    assert ours[len(sample) :].count(False) >= 0.8 * len(wrong)


def test_mutants_are_many_and_the_same_every_time() -> None:
    cases = references()
    assert len(cases) == 164
    assert sum(len(mutants(case, PER_PROBLEM)) for case in cases[::4]) >= 75
    assert mutants(cases[0], PER_PROBLEM) == mutants(cases[0], PER_PROBLEM)


@pytest.mark.slow
def test_all_references_pass_and_mutants_fail_where_they_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    right = references()
    wrong = [mutant for case in right for mutant in mutants(case, PER_PROBLEM)]
    ours, elsewhere = verdicts([*right, *wrong])
    cases = [*right, *wrong]
    differing = [case.name for case, a, b in zip(cases, ours, elsewhere, strict=True) if a != b]
    alive = [case.name for case, passed in zip(wrong, ours[len(right) :], strict=True) if passed]
    with capsys.disabled():
        print(f"\n{len(right)} references: {sum(ours[: len(right)])} passed")
        print(f"{len(wrong)} mutants: {len(wrong) - len(alive)} failed, {len(alive)} pass HumanEval's tests: {alive}")
        print(f"verdicts that differ from an ordinary interpreter's: {differing}")
    assert sum(ours[: len(right)]) == 164
    assert differing == []
    assert len(alive) < 0.2 * len(wrong)

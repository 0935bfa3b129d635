"""What the method decides on real problems with known answers: HumanEval's references and mutants of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from distill.generate.author import Author, Unusable
from distill.generate.code import Code
from distill.generate.method import Check
from distill.protocols import Completion
from tests.generate.conftest import real, work
from tests.sandbox.human_eval_cases import Case, mutants, passes_elsewhere, references

SECONDS = 4
METHOD = Code(problems="chat", limits={"seconds": SECONDS}, rejects=0.5)


def decision(case: Case, author: Author) -> str:
    """`kept`, or the reason why not, when the teacher gives this solution and the data these tests."""
    row = real(f"Solve {case.name}.", None).model_copy(update={"evidence": {"tests": case.tests}})
    candidate = next(METHOD.candidates(work(author, [row], "code")))
    (request,) = next(candidate)
    try:
        checked = candidate.send([Completion(request.key, f"```python\n{case.solution}\n```", "stop", 1, 1)])
        assert isinstance(checked, Check)
        candidate.send(checked.run())
    except StopIteration:
        return "kept"
    except Unusable as unusable:
        return unusable.reason
    raise AssertionError("it asks again")


def decisions(cases: Sequence[Case], author: Author) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: decision(case, author), cases))


def says_nothing(case: Case) -> Case:
    """The same solution with tests that any program passes."""
    name = case.tests.rpartition("check(")[2].rstrip(")")
    return Case(case.name, case.solution, f"assert callable({name})")


def test_some_problems(author: Author) -> None:
    right = references()[3::60]
    assert decisions(right, author) == ["kept"] * len(right)
    assert decisions([says_nothing(case) for case in right], author) == ["vacuous_tests"] * len(right)
    wrong = [case for one in right for case in mutants(one, 1) if not passes_elsewhere(case, SECONDS)]
    assert decisions(wrong, author) == ["failed_tests"] * len(wrong) != []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_problem(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    right = references()
    wrong = [case for one in right for case in mutants(one, 1)]
    alive = [passes_elsewhere(case, SECONDS) for case in wrong]
    of_right, of_wrong = decisions(right, author), decisions(wrong, author)
    of_nothing = decisions([says_nothing(case) for case in right], author)
    refused = [found for found, lives in zip(of_wrong, alive, strict=True) if not lives]
    accepted = [found for found, lives in zip(of_wrong, alive, strict=True) if lives]
    with capsys.disabled():
        print(f"\n{len(right)} references: {dict(Counter(of_right))}")
        print("  ", [case.name for case, found in zip(right, of_right, strict=True) if found != "kept"])
        print(f"{len(refused)} mutants that HumanEval's tests refuse: {dict(Counter(refused))}")
        print(f"{len(accepted)} mutants that they accept: {dict(Counter(accepted))}")
        print(f"{len(right)} references with tests that test nothing: {dict(Counter(of_nothing))}")
    assert of_right.count("kept") >= 160 and "failed_tests" not in of_right
    assert set(refused) == {"failed_tests"} and len(refused) >= 100
    assert of_nothing == ["vacuous_tests"] * len(right)

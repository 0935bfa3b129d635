"""Programs that pass their tests: whose tests decide, which solution is kept, what tests are worth nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.errors import SandboxError
from distill.generate import code as module
from distill.generate.author import Author, Unusable
from distill.generate.code import Code
from distill.generate.method import Candidate, Check
from distill.generate.settings import Generate, Spec
from distill.generate.stage import run
from distill.protocols import Completion, Request
from distill.rows import Row, read_rows, to_line
from tests.generate.conftest import MODEL, Canned, real, work

PROBLEM = "Write a function `double` that doubles a number."
RIGHT = "```python\ndef double(x):\n    return x + x\n```\nIt adds the number to itself."
OTHER = "```python\ndef double(x):\n    return 2 * x\n```"
WRONG = "```python\ndef double(x):\n    return x + 2\n```"
TESTS = "```python\nassert double(2) == 4\nassert double(5) == 10\n```"
WRONG_TESTS = "```python\nassert double(2) == 5\n```"
VACUOUS = "```python\nassert double(2) is not None or True\n```"
METHOD = Code(problems="chat", limits={"seconds": 3})
TASK = real(PROBLEM, None)


def made(author: Author, method: Code, say: Callable[[Request], Any], row: Row = TASK) -> Row:
    """The row of the first candidate, when `say` gives all answers."""
    candidate = next(method.candidates(work(author, [row], "code")))
    return to_the_end(candidate, say)


def to_the_end(candidate: Candidate, say: Callable[[Request], Any]) -> Row:
    def got(one: Any) -> Any:
        if isinstance(one, Check):
            return one.run()
        said = say(one)
        return said if isinstance(said, Completion) else Completion(one.key, said, "stop", 1, 1)

    try:
        wanted = next(candidate)
        while True:
            wanted = candidate.send([got(one) for one in wanted] if isinstance(wanted, tuple) else got(wanted))
    except StopIteration as stop:
        row: Row = stop.value
        return row


def writes(*solutions: str, tests: tuple[str, ...] = (TESTS,)) -> Callable[[Request], str]:
    def say(request: Request) -> str:
        about_tests = "assert statements" in request.messages[-1].content
        return (tests if about_tests else solutions)[request.sample]

    return say


def test_a_solution_that_passes_is_kept_as_it_was_written(author: Author) -> None:
    row = made(author, METHOD, writes(RIGHT))
    assert (row.kind, row.question, row.answer) == ("chat", PROBLEM, RIGHT)
    assert row.evidence == {"tests": "assert double(2) == 4\nassert double(5) == 10", "entry_point": "double"}
    assert row.scores == {"solutions_passed": 1, "faults_refused": 1}
    assert row.provenance.sampling["tests_by"] == "teacher" and row.provenance.parents == (TASK.id,)


def test_tests_are_asked_from_the_head_of_the_solution_alone(author: Author) -> None:
    asked: list[str] = []

    def say(request: Request) -> str:
        asked.append(request.messages[-1].content)
        return writes(RIGHT)(request)

    made(author, METHOD, say)
    assert asked[0].startswith(PROBLEM)
    assert "def double(x):" in asked[1] and "x + x" not in asked[1] and "Write 3 assert" in asked[1]


def test_of_several_solutions_the_first_that_passes(author: Author) -> None:
    method = METHOD.model_copy(update={"solutions": 3})
    row = made(author, method, writes(WRONG, OTHER, RIGHT))
    assert row.answer == OTHER and row.provenance.sampling["sample"] == 1
    assert row.scores["solutions_passed"] == pytest.approx(2 / 3, abs=1e-6)
    assert made(author, method, writes(RIGHT, RIGHT, WRONG)).scores["solutions_passed"] == pytest.approx(
        2 / 3, abs=1e-6
    )


def test_of_several_sets_of_tests_one_that_tests_something(author: Author) -> None:
    method = METHOD.model_copy(update={"test_sets": 4})
    row = made(author, method, writes(RIGHT, tests=("No tests.", WRONG_TESTS, VACUOUS, TESTS)))
    assert row.evidence["tests"] == "assert double(2) == 4\nassert double(5) == 10"


def test_tests_of_the_data_decide_and_none_are_asked(author: Author) -> None:
    task = TASK.model_copy(update={"evidence": {"tests": "assert double(4) == 8", "entry_point": "double"}})
    row = made(author, METHOD, writes(RIGHT, tests=()), task)
    assert row.evidence == task.evidence and row.provenance.sampling["tests_by"] == "data"
    with pytest.raises(Unusable) as caught:
        made(author, METHOD, writes(WRONG, tests=()), task)
    assert caught.value.reason == "failed_tests"


def test_a_name_of_the_data_that_no_solution_has(author: Author) -> None:
    task = TASK.model_copy(update={"evidence": {"entry_point": "twice"}})
    with pytest.raises(Unusable) as caught:
        made(author, METHOD, writes(RIGHT), task)
    assert (caught.value.reason, caught.value.detail) == ("no_entry_point", "no solution defines twice")


def test_code_to_be_completed(author: Author) -> None:
    head = 'import math\n\ndef root(x):\n    """The square root."""'
    task = real(head, None).model_copy(update={"evidence": {"tests": "assert root(9) == 3", "entry_point": "root"}})
    asked: list[str] = []

    def say(request: Request) -> str:
        asked.append(request.messages[-1].content)
        return "```python\n    return math.sqrt(x)\n```"

    row = made(author, METHOD, say, task)
    assert asked[0].startswith("Complete this Python code") and row.question == head


@pytest.mark.parametrize(
    ("solution", "tests", "reason", "detail"),
    [
        (Completion("", "", "error", 0, 0, error="no route"), TESTS, "engine_error", "no route"),
        (Completion("", "def dou", "length", 0, 0), TESTS, "unfinished_solution", "def dou"),
        ("I add it to itself.", TESTS, "no_program", "I add"),
        (RIGHT, "It works.", "no_tests", "It works."),
        (RIGHT, "", "empty_tests", ""),
        (RIGHT, WRONG_TESTS, "failed_tests", "assert double(2) == 5"),
        (WRONG, TESTS, "failed_tests", "AssertionError"),
        (RIGHT, VACUOUS, "vacuous_tests", "return None"),
        (RIGHT, RIGHT + "\n```python\nassert callable(double)\n```", "vacuous_tests", ""),
    ],
)
def test_what_is_refused_and_why(author: Author, solution: Any, tests: str, reason: str, detail: str) -> None:
    say = lambda request: tests if "assert statements" in request.messages[-1].content else solution  # noqa: E731
    with pytest.raises(Unusable) as caught:
        made(author, METHOD, say)
    assert caught.value.reason == reason and detail in caught.value.detail


def test_tests_that_let_most_faults_pass_are_vacuous(author: Author) -> None:
    size = (
        "```python\ndef size(x):\n    if x > 10:\n        return 3\n    if x > 5:\n        return 2\n    return 1\n```"
    )
    tests = "```python\nassert size(20) == 3\nassert size(1) == 1\n```"
    say = writes(size, tests=(tests,))
    share = made(author, METHOD.model_copy(update={"rejects": 0.0}), say).scores["faults_refused"]
    assert 0 < share < 1
    with pytest.raises(Unusable) as caught:
        made(author, METHOD.model_copy(update={"rejects": share + 0.01}), say)
    assert caught.value.reason == "vacuous_tests" and "programs with a fault" in caught.value.detail


SEEDS = [real(f"Write a function that {what}.") for what in ("sorts words", "counts vowels", "finds primes")]
INVENTING = Code(seeds="chat", limits={"seconds": 3})


def test_new_problems_are_written_after_seeds(author: Author) -> None:
    def say(request: Request) -> str:
        if len(request.messages) == 7:
            return f'Another task:\n\n1. "{PROBLEM}"'
        return writes(RIGHT)(request)

    row = to_the_end(next(INVENTING.candidates(work(author, SEEDS, "code"))), say)
    assert row.question == PROBLEM and row.answer == RIGHT
    assert set(row.provenance.parents) == {seed.id for seed in SEEDS}
    assert row.provenance.root in {seed.provenance.root for seed in SEEDS}


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("write a FUNCTION that counts vowels", "copies_seed"),
        ("Write a function that counts all vowels.", "copies_seed"),
        ("word " * 150, "long_problem"),
        ("...", "empty_problem"),
    ],
)
def test_what_is_no_new_problem(author: Author, problem: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        to_the_end(next(INVENTING.candidates(work(author, SEEDS, "code"))), lambda _: problem)
    assert caught.value.reason == reason


def test_nothing_is_asked_where_nothing_can_be_run(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SandboxError("this kernel has no Landlock")

    monkeypatch.setattr(module, "require", missing)
    with pytest.raises(SandboxError):
        next(METHOD.candidates(work(author, [TASK], "code")))


@pytest.mark.parametrize("wrong", [{}, {"problems": "chat", "seeds": "chat"}])
def test_one_source_of_problems(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either `problems` or `seeds`"):
        Code.model_validate(wrong)


def test_the_stage_runs_programs(
    split: Path, tmp_path: Path, context: Context, use: Callable[[Callable[[Request], str]], Canned]
) -> None:
    rows = [
        real(f"Write a function `add` that adds {number}.").model_copy(
            update={"evidence": {"tests": f"assert add(1) == {number + 1}\nassert add(5) == {number + 5}"}}
        )
        for number in range(2, 6)
    ]
    (split / "train" / "chat.jsonl").write_text("".join(map(to_line, rows)), encoding="utf-8")
    use(lambda request: f"```python\ndef add(x):\n    return x + {3 if '4.' in str(request.messages) else 2}\n```")
    generate = Generate(rows=1, methods=(Code(problems="chat", limits={"seconds": 3}),), budget={"candidates": 4})
    spec = Spec(teachers={"teacher": Teacher(model=MODEL)}, generate=generate, filter=(), seed=1)
    summary = run(spec, {"split": split}, tmp_path, context)
    assert summary["counts"]["requested"] >= 1
    kept = list(read_rows(tmp_path / "rows.jsonl"))
    assert [row.question for row in kept] == ["Write a function `add` that adds 2."]

"""Problems with tests: items, programs, pass@k."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distill.context import Resolved
from distill.errors import SourceError
from distill.evidence import TESTS
from distill.sources import references
from distill.suites.programs import NONE, HumanEval, Programs, pass_at
from distill.suites.suite import Answered, Judged

SOURCE = {"data": "tasks.jsonl", "prompt": "task", "evidence": {"tests": "tests"}}
TASKS = [
    {"task": "Write `double(x)`.", "tests": "assert double(2) == 4"},
    {"task": "Write `half(x)`.", "tests": "assert half(4) == 2"},
]
RIGHT = "```python\ndef double(x):\n    return 2 * x\n```"
WRONG = "```python\ndef double(x):\n    return x\n```"


def suite(**more: Any) -> Programs:
    return Programs.model_validate({"source": SOURCE, **more})


def asked(one: Programs, folder: Path, answers: Sequence[str]) -> Answered:
    """The first task with these answers."""
    path = folder / "tasks.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    rows = one.load({"tasks.jsonl": Resolved("tasks.jsonl", path, "1")})
    return Answered(next(row for row in rows if "double" in row.question), tuple(answers))


def judged(folder: Path, answers: Sequence[str], **more: Any) -> Judged:
    one = suite(**more)
    (found,) = one.judge([asked(one, folder, answers)])
    return found


@pytest.mark.parametrize(("samples", "passed"), [(5, 0), (5, 2), (5, 5), (6, 1)])
def test_pass_at_k_is_the_share_of_all_draws_of_k(samples: int, passed: int) -> None:
    right = [number < passed for number in range(samples)]
    for k in range(1, samples + 1):
        draws = list(combinations(right, k))
        assert pass_at(k, samples, passed) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_a_program_passes_or_fails_with_its_reason(tmp_path: Path) -> None:
    good = judged(tmp_path, [RIGHT])
    assert good.measures == {"pass@1": {"value": 1, "weight": 1}}
    assert good.found is not None and "return 2 * x" in good.found
    assert (good.why, good.error) == (None, None)
    bad = judged(tmp_path, [WRONG])
    assert bad.measures["pass@1"]["value"] == 0
    assert bad.why is not None and "failed" in bad.why and "AssertionError" in bad.why
    assert judged(tmp_path, ["I cannot."]).why == NONE


def test_of_several_programs_the_chance_is_estimated(tmp_path: Path) -> None:
    found = judged(tmp_path, [WRONG, RIGHT, WRONG, "None."], samples=4, temperature=0.8, k=[1, 2])
    assert {name: one["value"] for name, one in found.measures.items()} == {"pass@1": 0.25, "pass@2": 0.5}
    assert found.why is not None and found.why.startswith("1 of 4 passed; the first: failed")


def test_a_program_cannot_reach_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    answer = f"```python\nopen({str(tmp_path / 'secret')!r}, 'w').write('y')\ndef double(x):\n    return 2 * x\n```"
    assert judged(tmp_path, [answer]).measures["pass@1"]["value"] == 0
    assert (tmp_path / "secret").read_text() == "x"


def test_which_metrics_are_right_or_wrong() -> None:
    one, many = suite().metrics, suite(samples=20, temperature=0.8, k=[10, 1]).metrics
    assert [(name, metric.right) for name, metric in one.items()] == [("pass@1", True)]
    assert [(name, metric.right) for name, metric in many.items()] == [("pass@1", False), ("pass@10", False)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"k": [10]}, "samples: 10"),
        ({"samples": 2}, "temperature: 0.8"),
        ({"source": {"data": "x", "prompt": "p"}}, "evidence: {tests: COLUMN}"),
    ],
)
def test_what_cannot_be_measured_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        suite(**more)


def test_a_problem_without_tests_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"task": "Do it.", "tests": " "}) + "\n")
    with pytest.raises(SourceError, match="a problem without tests: 'Do it"):
        list(suite().load({"tasks.jsonl": Resolved("tasks.jsonl", tmp_path / "tasks.jsonl", "1")}))


def human_eval(**more: Any) -> list[Any]:
    spec = HumanEval.model_validate(more)
    ref = spec.source.data
    return list(spec.load({ref: references.resolve(ref, "data", Path(), Path(), Path())}))


def test_human_eval_is_asked_as_in_a_chat_and_its_own_solutions_pass() -> None:
    rows = human_eval()
    assert len(rows) == len({row.id for row in rows}) == 164
    first = rows[0]
    assert first.kind == "benchmark" and first.question.startswith("Complete this Python function.")
    assert "has_close_elements" in first.answer and "check(has_close_elements)" in first.evidence[TESTS]
    some = rows[::40]
    answers = [f"Here:\n```python\n{row.answer}\n```" for row in some]
    found = HumanEval().judge([Answered(row, (answer,)) for row, answer in zip(some, answers, strict=True)])
    assert [one.measures["pass@1"]["value"] for one in found] == [1] * len(some)
    bodies = [row.answer.removeprefix(row.evidence["question"]).strip() for row in some]
    found = HumanEval().judge([Answered(row, (body,)) for row, body in zip(some, bodies, strict=True)])
    assert [one.measures["pass@1"]["value"] for one in found] == [1] * len(some), "what only goes on from the head"


def test_the_first_so_many_are_always_the_same() -> None:
    few, more = ({row.id for row in human_eval(items=count)} for count in (5, 7))
    assert len(few) == 5 and few < more

"""The teacher's held-out answers: one a root, only those that ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distill.context import Context, Runtime
from distill.endpoint import Endpoint, Price
from distill.engines.teacher import Teacher
from distill.errors import YieldError
from distill.generate.heldout import Spec, one_a_root, run
from distill.protocols import Completion, Request
from distill.rows import read_rows, write_rows
from distill.suites.heldout import items
from tests.generate.conftest import MODEL, Canned, Say, echo, real

Use = Callable[[Say], Canned]


def spec(systems: dict[str, str] | None = None) -> Spec:
    return Spec.model_validate({"teacher": {"model": MODEL}, "sampling": {}, "systems": systems or {}, "seed": 7})


def test_every_held_out_root_is_answered_once(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    engine = use(echo)
    other = [real("WHAT about subject 101", "yet another"), real("Only asked?", None)]
    write_rows(split / "heldout" / "more.jsonl", other)
    summary = run(spec({"chat": "Be brief.", "more": "Be brief."}), {"split": split}, tmp_path, context)
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert summary["counts"] == {"requested": 7, "parsed": 7, "failed": 0, "missing": 0}
    assert len({row.provenance.root for row in rows}) == len(rows) == len(engine.asked) == 7
    assert [row.provenance.root for row in rows] == sorted(row.provenance.root for row in rows)
    assert engine.closed
    assert {request.messages[0].content for request in engine.asked} == {"Be brief."}


def test_the_row_that_is_asked_is_the_one_measured_on_real_data(split: Path) -> None:
    prompts = [real(f"What about subject {100 + i}?", None) for i in range(6)]
    write_rows(split / "heldout" / "more.jsonl", [*prompts, real("What about subject 103?", "not so")])
    measured = items("heldout_real", split, split)
    assert [row.id for _, row in one_a_root(split)] == [row.id for row in measured]
    assert len(measured) == 6


def test_cut_and_failed_answers_are_left_out_and_counted(
    split: Path, context: Context, use: Use, tmp_path: Path
) -> None:
    def say(request: Request) -> str | Completion | None:
        ways = {
            "100": Completion(request.key, "It goes on and", "length", 5, 256),
            "101": Completion(request.key, "", "error", 5, 0, error="boom"),
            "102": None,
        }
        return ways.get(request.messages[-1].content[-4:-1], "fine")

    use(say)
    summary = run(spec(), {"split": split}, tmp_path, context)
    assert summary["counts"] == {"requested": 6, "parsed": 3, "failed": 2, "missing": 1}
    assert summary["notes"] == ["1 of 6 held-out answers were cut at max_new_tokens and left out"]
    failures = [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines()]
    assert sorted(line["reason"] for line in failures) == ["engine_error", "missing", "truncated"]
    assert [row.answer for row in read_rows(tmp_path / "rows.jsonl")] == ["fine"] * 3


def test_what_held_out_answers_cost_is_told(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(lambda request: Completion(request.key, "fine", "stop", 1_000_000, 2_000_000))
    served = {"model": MODEL, "engine": {"kind": "server"}}
    priced = Endpoint(address="http://localhost:1/v1", price=Price(prompt=0.5, completion=1))
    asked = spec().model_copy(update={"teacher": Teacher.model_validate(served)})
    for server, money in ((priced, 6 * 2.5), (None, 0)):
        there = replace(context, runtime=Runtime(server=server))
        assert run(asked, {"split": split}, tmp_path, there)["money"] == money
    here = replace(context, runtime=Runtime(server=priced))
    assert run(spec(), {"split": split}, tmp_path, here)["money"] == 0, "what is in this process is on no bill"


def test_no_answer_at_all_is_an_error_that_says_why(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(lambda request: Completion(request.key, "on and on", "length", 5, 9))
    with pytest.raises(YieldError, match=r"0 of 6 held-out answers ended") as caught:
        run(spec(), {"split": split}, tmp_path, context)
    assert "max_new_tokens" in str(caught.value)


def test_no_held_out_prompt_is_no_answer(split: Path, context: Context, use: Use, tmp_path: Path) -> None:
    use(echo)
    (split / "heldout" / "chat.jsonl").write_text("")
    assert run(spec(), {"split": split}, tmp_path, context)["counts"]["requested"] == 0
    assert (tmp_path / "rows.jsonl").read_text() == ""

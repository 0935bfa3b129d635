"""Real rows for a student that learns from them alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.context import Context
from distill.errors import DistillError
from distill.mix import real_only
from distill.rows import read_rows, write_rows
from tests.mix.test_stage import HELD, REAL, TEACHER, TOLD, ids, inputs, mix, put, row

__all__ = ["inputs"]


def alone(inputs: dict[str, Path]) -> list[str]:
    out = inputs["out"] / "alone"
    out.mkdir(exist_ok=True)
    (inputs["out"] / "validation.jsonl").unlink(missing_ok=True)
    mix(inputs)
    real_only.run(real_only.Spec(seed=3), {**inputs, "mix": inputs["out"]}, out, Context(out, {}))
    return ids(list(read_rows(out / "train.jsonl")))


def test_all_real_rows_serve_but_those_that_the_training_is_watched_on(inputs: dict[str, Path]) -> None:
    many = [*REAL, *(row(f"Another question {i}?", "real") for i in range(20))]
    put({**inputs}, TEACHER, many, HELD, TOLD)
    found = alone(inputs)
    watched = ids(list(read_rows(inputs["out"] / "alone" / "validation.jsonl")))
    assert watched == ids(list(read_rows(inputs["out"] / "validation.jsonl"))) and len(watched) == 2
    assert sorted(found) == sorted(set(ids(many)) - set(watched))
    assert found != sorted(found), "shuffled"


def test_a_row_with_the_prompt_of_a_watched_one_stays_out(inputs: dict[str, Path]) -> None:
    many = [row(f"Real question {i}?", "real", answer=f"Answer {j}.") for i in range(20) for j in range(2)]
    put({**inputs}, TEACHER, many, HELD, TOLD)
    found = set(alone(inputs))
    watched = {one.messages[0].content for one in read_rows(inputs["out"] / "validation.jsonl")}
    assert watched and not [one for one in many if one.messages[0].content in watched and one.id in found]


def test_a_real_row_that_is_evaluated_on_is_refused(inputs: dict[str, Path]) -> None:
    alone(inputs)
    write_rows(inputs["filter"] / "real.jsonl", [*REAL, row("Held question 1?", "real", answer="Told twice.")])
    with pytest.raises(DistillError, match="share a prompt with held-out rows"):
        real_only.run(real_only.Spec(seed=3), {**inputs, "mix": inputs["out"]}, inputs["out"], Context(Path(), {}))


def test_without_real_rows_there_is_no_such_student(inputs: dict[str, Path]) -> None:
    alone(inputs)
    write_rows(inputs["filter"] / "real.jsonl", [])
    with pytest.raises(DistillError, match="no real row is left"):
        real_only.run(real_only.Spec(seed=3), {**inputs, "mix": inputs["out"]}, inputs["out"], Context(Path(), {}))

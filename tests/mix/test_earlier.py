"""Rows of earlier runs: exactly as many of each as are asked for, and a reason for every one that is left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Resolved
from distill.errors import DistillError
from distill.laboratory.keeping import KEEPS, PEOPLE, Keep, portions
from distill.mix.stage import Mix, Spec, run
from distill.protocols import Summary
from distill.rows import Row, read_rows, root_of, write_rows
from tests.mix.test_stage import HELD, pair, row

ROWS = 16
PEOPLES = [row(f"Real question {i}?", "real") for i in range(ROWS)]


def of(generation: int, answer: str = "") -> list[Row]:
    """Rows of a generation of models: they answer the same prompts."""
    rows = [row(f"Real question {i}?", "teacher", answer=answer or f"By {generation}: {i}.") for i in range(ROWS)]
    return [
        one.model_copy(update={"provenance": one.provenance.model_copy(update={"depth": generation})}) for one in rows
    ]


def mixed(
    folder: Path,
    kept: Sequence[Row],
    there: Mapping[str, Sequence[Row]],
    real: Sequence[Row] = PEOPLES,
    without: str = "",
    **fields: Any,
) -> tuple[list[Row], Summary]:
    """The mix, and what it says of itself."""
    inputs = {name: folder / name for name in ("split", "filter", "out")}
    for one in (*inputs.values(), inputs["split"] / "heldout"):
        one.mkdir(exist_ok=True)
    write_rows(inputs["filter"] / "kept.jsonl", kept)
    write_rows(inputs["filter"] / "real.jsonl", real)
    write_rows(inputs["split"] / "heldout" / "chat.jsonl", HELD)
    books = {"requested": len(kept), "kept": len(kept), "dropped": {}, "failed": 0, "missing": 0}
    (inputs["filter"] / "ledger.json").write_text(json.dumps({"teacher": books, "real": {**books, "kept": len(real)}}))
    resolved = {}
    for place, (ref, rows) in enumerate(there.items()):
        write_rows(folder / f"{place}.jsonl", rows)
        resolved[ref] = Resolved(ref, folder / f"{place}.jsonl", "key")
    if without:
        (folder / "without.txt").write_text(without)
        resolved["without.txt"] = Resolved("without.txt", folder / "without.txt", "key")
    mix = Mix.model_validate({"validation_rows": 0, "earlier": list(there), **fields})
    spec = Spec(mix=mix, seed=3, without="without.txt" if without else None)
    summary = run(spec, inputs, inputs["out"], Context(folder, resolved))
    return list(read_rows(inputs["out"] / "train.jsonl")), summary


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5])
def test_a_generation_learns_from_what_its_portions_say(keep: Keep, fraction: float, tmp_path: Path) -> None:
    """Though people wrote no rows but those of generation 0."""
    for generation in (1, 2, 3):
        parts = portions(keep, generation, ROWS, fraction)
        rows = {f"run:{one}/mix": PEOPLES if one == PEOPLE else of(one) for one in parts if one < generation}
        asked = [{"rows_of": ref, "rows": parts[int(ref[4])]} for ref in rows]
        total = sum(parts.values())
        settings = {"earlier": asked, "rows": total, "real_fraction": parts.get(PEOPLE, 0) / total}
        train, summary = mixed(tmp_path, of(generation), rows, **settings)
        assert Counter(one.provenance.depth for one in train) == parts
        assert summary["notes"] == [] and len({one.id for one in train}) == total


def test_a_number_and_all_of_the_others(tmp_path: Path) -> None:
    asked = [{"rows_of": "run:a/mix", "rows": 5}, "run:b/mix"]
    train, summary = mixed(tmp_path, of(3), {"run:a/mix": of(1), "run:b/mix": of(2)}, earlier=asked, real_fraction=0)
    assert Counter(one.provenance.depth for one in train) == {1: 5, 2: ROWS, 3: ROWS}
    assert summary["counts"]["earlier"] == 5 + ROWS
    again, _ = mixed(tmp_path, of(3), {"run:a/mix": of(1)[::-1], "run:b/mix": of(2)}, earlier=asked, real_fraction=0)
    assert train == again, "which five are drawn is of the seed and what they say"


def test_people_among_the_earlier_go_before_other_real_rows(tmp_path: Path) -> None:
    other = [row(f"Another question {i}?", "real") for i in range(ROWS)]
    train, _ = mixed(tmp_path, of(2), {"run:a/mix": [*PEOPLES, *of(1)]}, other, rows=20, real_fraction=0.8)
    assert {one.id for one in train if one.provenance.source == "real"} == {one.id for one in PEOPLES}


def test_what_runs_wrote_alike_is_learnt_once_and_said(tmp_path: Path) -> None:
    same = of(1)
    asked = [{"rows_of": "run:a/mix", "rows": ROWS}]
    train, summary = mixed(
        tmp_path, [*of(2)[:14], *same[:2]], {"run:a/mix": same}, earlier=asked, rows=2 * ROWS, real_fraction=0
    )
    assert len(train) == 2 * ROWS - 2
    assert "2 of 32 rows (mix.rows) are missing: runs wrote the same row 2 times" in summary["notes"][0]


def test_fewer_than_asked_for_is_an_error_where_none_came_twice(tmp_path: Path) -> None:
    earlier = {"run:a/mix": of(1)}
    with pytest.raises(DistillError, match="17 rows are asked of it, and 16 are there"):
        mixed(tmp_path, of(2), earlier, earlier=[{"rows_of": "run:a/mix", "rows": 17}])
    with pytest.raises(DistillError, match="takes 33 of the teacher's and 0 real rows; there are 32 and 16"):
        mixed(tmp_path, of(2), earlier, rows=33, real_fraction=0)
    asked = [{"rows_of": "run:a/mix", "rows": 16}]
    with pytest.raises(DistillError, match=r"brings 16 rows of teachers, and mix\.rows 20 with real_fraction 0"):
        mixed(tmp_path, of(2), earlier, earlier=asked, rows=20, real_fraction=0.5)


def test_what_was_withdrawn_or_is_measured_on_or_ranked_is_left_out_and_counted(tmp_path: Path) -> None:
    old = of(1)
    held = row("held QUESTION 2", "teacher", root="another root", answer="Other words.")
    gone = f"{old[0].provenance.root}  # a prompt\n{old[1].id}\n"
    earlier = {"run:a/mix": [*old, held, pair("Which?"), pair("What?")]}
    train, summary = mixed(tmp_path, of(2), earlier, without=gone, real_fraction=0)
    assert Counter(one.provenance.depth for one in train) == {1: ROWS - 2, 2: ROWS}
    assert not {old[0].id, old[1].id, held.id} & {one.id for one in train}
    assert summary["left_out"] == {"withdrawn": 2, "held_out": 1, "preference": 2}
    assert summary["notes"] == [
        "rows of earlier runs that are not learnt: 1 held_out, 2 preference, 2 withdrawn",
    ]
    assert root_of(held.messages) in HELD[2].roots

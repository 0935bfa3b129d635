"""A student of real rows alone: as many supervised tokens in as many steps, whatever the length of its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.errors import TrainError
from distill.train import order, settings, stage
from distill.train.log import read_log
from distill.train.order import BLANK
from tests.train.small import context_of, inputs_of, make_row, put, spec_of


def matched(lengths: list[int], wanted: list[int], batch_size: int = 4) -> list[list[int]]:
    return order.match(lengths, lengths, wanted, batch_size, seed=3)


@pytest.mark.parametrize("length", [3, 10, 40])
def test_steps_are_as_near_as_whole_rows_allow(length: int) -> None:
    lengths = [length + row % 5 for row in range(13)]
    wanted = [100 + 7 * step for step in range(20)]
    steps = matched(lengths, wanted)
    found = [sum(lengths[row] for row in step if row != BLANK) for step in steps]
    assert all(abs(one - other) <= length + 5 for one, other in zip(found, wanted, strict=True))
    assert abs(sum(found) - sum(wanted)) <= (length + 5) / 2
    assert len({len(step) for step in steps}) == 1 and len(steps[0]) % 4 == 0


def test_rows_are_repeated_evenly() -> None:
    places = [row for step in matched([10] * 7, [50] * 10) for row in step if row != BLANK]
    counts = {row: places.count(row) for row in places}
    assert sorted(set(counts.values())) == [7, 8] and set(counts) == set(range(7))


def test_a_row_longer_than_a_step_is_there_all_the_same_and_is_made_up_for() -> None:
    steps = matched([100, 100], [30] * 10, batch_size=2)
    assert all(sum(row != BLANK for row in step) == 1 for step in steps)  # no step is empty


def test_rows_without_anything_to_learn_are_refused() -> None:
    with pytest.raises(TrainError, match="no row has a token to learn"):
        order.match([3, 3], [0, 0], [10], 2, 1)


def test_it_learns_as_much_as_the_other_and_says_how_near(folder: Path, tmp_path: Path) -> None:
    """40 rows of the teacher's against 6 short real ones, of which one is too long for a step."""
    other = tmp_path / "other"
    (other / "mix").mkdir(parents=True)
    (other / "model").symlink_to((folder / "model").resolve())
    put(other, [*(make_row(number, 2, "real") for number in range(100, 106)), make_row(106, 90, "real")])
    real, taught = inputs_of(other), inputs_of(folder)
    plain = spec_of(epochs=1, max_length=80)
    undisturbed = stage.run(plain, taught, _made(folder / "plain"), context_of(folder))
    train = plain.train.model_copy(update={"too_long": "drop"})
    spec = settings.Matched(**{**dict(plain), "train": train}, like="like")
    inputs = {**real, "like": taught["tokenise"]}
    summary = stage.run(spec, inputs, _made(folder / "alone"), context_of(folder))
    assert summary["counts"]["steps"] == undisturbed["counts"]["steps"] == 3
    wanted = undisturbed["counts"]["supervised_tokens"]
    assert summary["matched"] == {"steps": 3, "tokens": summary["counts"]["supervised_tokens"], "wanted": wanted}
    assert summary["counts"]["supervised_tokens"] == pytest.approx(wanted, rel=0.02)
    one, two = (read_log(folder / name / "log.jsonl") for name in ("plain", "alone"))
    assert [line["tokens"] for line in two] == pytest.approx([line["tokens"] for line in one], rel=0.05)
    assert two[-1]["epoch"] > 5 and all(line["loss"] > 0 for line in two)
    assert f"supervised tokens of 6 of 6 real rows, each read {two[-1]['epoch']:.1f} times" in summary["notes"][0]
    assert any("1 training rows were longer" in note for note in summary["notes"])
    student = json.loads((folder / "alone" / "student.json").read_text())
    assert student["depth"] == 0, "nothing in it is of a teacher"


def _made(path: Path) -> Path:
    path.mkdir()
    return path

"""The node `layers`: which rows it measures on, what it writes, and who goes by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.engines import layers as engine
from distill.engines.layers import LeastMissed
from distill.errors import TrainError
from distill.train import layers, settings, stage
from tests.train.small import MODEL, context_of, inputs_of, make_row, put, spec_of


def spec(count: int = 2, rows: int = 8) -> layers.Spec:
    drop = LeastMissed(least_missed=count, rows=rows)
    return layers.Spec(model=MODEL, drop=drop, quantization=None, dtype="float32", seed=3)


def test_the_layers_are_found_and_training_goes_by_them(folder: Path) -> None:
    out = folder / "layers"
    out.mkdir()
    summary = layers.run(spec(), inputs_of(folder), out, context_of(folder))
    found = json.loads((out / engine.FILE).read_text())
    assert summary["layers"] == found["taken_out"] == sorted(line["layer"] for line in found["rounds"])
    assert min(found["alone"].values()) == found["rounds"][0]["loss"] and len(found["alone"]) == 4
    assert summary["counts"] == {"rows": 8, "taken_out": 2, "left": 2}
    assert f"is {found['rounds'][-1]['loss']:.2f} instead of {found['whole']:.2f}" in summary["notes"][0]
    wanted = spec_of(max_steps=1).model_dump()
    wanted["student"]["drop_layers"] = {"least_missed": 2, "rows": 8}
    (folder / "out").mkdir()
    inputs = {**inputs_of(folder), "layers": out}
    stage.run(settings.Spec.model_validate(wanted), inputs, folder / "out", context_of(folder))
    assert json.loads((folder / "out" / "student.json").read_text())["drop_layers"] == found["taken_out"]


def test_the_rows_are_drawn_by_hash_whatever_their_order(folder: Path) -> None:
    rows = [make_row(number) for number in range(20)]
    tokens = inputs_of(folder)["tokenise"] / "train.arrow"
    drawn = []
    for order in (rows, rows[::-1]):
        put(folder, order)
        drawn.append(layers.sample(tokens, spec()))
    assert drawn[0] == drawn[1] and len(drawn[0]) == 8
    other = layers.sample(tokens, spec().model_copy(update={"seed": 4}))
    assert other != drawn[0]


def test_what_cannot_be_measured_is_said(folder: Path) -> None:
    with pytest.raises(TrainError, match="4 layers cannot be taken out of a model of 4"):
        layers.run(spec(4), inputs_of(folder), folder, context_of(folder))
    put(folder, [make_row(1, words=3000)])
    with pytest.raises(TrainError, match=r"no row to measure on(.|\n)*name the layers instead"):
        layers.sample(inputs_of(folder)["tokenise"] / "train.arrow", spec())

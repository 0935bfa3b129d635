"""laboratory.json and sweep.json are whole, and of one version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from distill.errors import CompareError
from distill.laboratory.record import Cell, Item, Laboratory, Mixed, Sweep, read
from tests.laboratory import example

ITEMS = (Item(id="a", root="r", tokens=4), Item(id="b", root="r", tokens=6), Item(id="c", root="s", tokens=1))


def cell(**changed: object) -> Cell:
    return Cell.model_validate(
        {"keep": "replace", "real_fraction": 0.0, "seed": 1, "generation": 2, "loss": 2.0} | changed
    )


def test_a_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    for found in (example.laboratory(2, (0,)), example.sweep((0.0, 0.5, 1.0), (0,))):
        path = tmp_path / "found.json"
        path.write_text(found.to_json(), encoding="utf-8")
        assert read(type(found), path) == found


def test_one_cell_is_there_once() -> None:
    with pytest.raises(ValidationError, match=r"more than one result of \('replace', 0.0, 1, 2\)"):
        Laboratory(name="x", cells=(cell(), cell(loss=3.0)))
    with pytest.raises(ValidationError, match="more than one"):
        Sweep(name="x", points=(Mixed(share=0.5, seed=1, loss=1), Mixed(share=0.5, seed=1, loss=2)))


def test_losses_are_those_of_the_items() -> None:
    with pytest.raises(ValidationError, match="another number than the 3 items"):
        Laboratory(name="x", items=ITEMS, cells=(cell(losses=(1.0, 2.0)),))
    found = Laboratory(name="x", items=ITEMS, cells=(cell(losses=(1.0, None, 3.0)),))
    scores = found.scores(found.cells[0].losses)
    assert scores is not None and scores.items == ["a", "c"] and scores.weights == [4.0, 1.0]
    assert found.scores(()) is None and found.scores((None, None, None)) is None


def test_a_number_that_is_none_never_comes_in() -> None:
    with pytest.raises(ValidationError):
        cell(loss=float("nan"))


def test_another_version_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "laboratory.json"
    path.write_text(json.dumps({"version": 2, "name": "x", "cells": []}), encoding="utf-8")
    with pytest.raises(CompareError, match="not a laboratory of this version: version"):
        read(Laboratory, path)

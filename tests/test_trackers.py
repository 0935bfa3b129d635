"""Trackers are told of every step and of the report, in one run of theirs, or are refused before anything is paid for."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from distill import trackers, tracking
from distill.cli import main
from distill.errors import TrainError
from distill.trackers import Tracked
from distill.workspace import Workspace
from tests.small_run import write_recipe

TRACKED = Tracked("run", "train#2", "abc", Path("runs/run"))


@pytest.mark.parametrize("name", trackers.REPORTED)
def test_a_tracker_is_there_or_check_refuses_it_with_what_to_install(
    name: str, tmp_path: Path, tiny_model: Path, sharp_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, tiny_model, sharp_model, runtime={"report_to": [name]})
    there = any(importlib.util.find_spec(package) for package in trackers.PACKAGES[name])
    assert main(["check", str(recipe)]) == (0 if there else 2)
    assert there or f"the tracker {name} is not installed" in capsys.readouterr().err


def test_what_is_no_tracker_is_refused_with_those_there_are() -> None:
    with pytest.raises(TrainError, match=r"'nonesuch' is no tracker(.|\n)*wandb"):
        trackers.check(["nonesuch"])


def test_every_tracker_that_is_named_here_is_one_of_transformers() -> None:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(trackers.PACKAGES) <= set(INTEGRATION_TO_CALLBACK)
    assert set(trackers.REPORTED) <= {str(name) for name in LOGGER_TYPE_TO_CLASS}


def test_the_environment_goes_before_what_is_set_here_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    before = dict(os.environ)
    with trackers.told(["tensorboard"], TRACKED):
        assert os.environ["WANDB_PROJECT"] == "mine" and os.environ["WANDB_RUN_ID"] == "abc"
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == "runs/run/trackers/train-seed2"
    assert dict(os.environ) == before
    with trackers.told([], TRACKED):
        assert dict(os.environ) == before


def test_a_tracker_that_cannot_be_reached_is_a_sentence_and_leaves_the_environment_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(search_runs=nobody_there))
    before = dict(os.environ)
    refused = pytest.raises(TrainError, match=r"mlflow cannot be asked: ConnectionError: nobody there")
    with refused as caught, trackers.told(["mlflow"], TRACKED):
        pass
    assert dict(os.environ) == before and "leave mlflow out" in str(caught.value)


def test_names_of_the_reports_numbers_are_such_as_every_tracker_takes() -> None:
    metric = {"arms": {"student#2": {"mean": 1.0}, "student@4": {"mean": 2.0}}, "gap_recovered": {"value": None}}
    assert tracking.values({"metrics": {"suite.loss": metric}}) == {
        "report/suite.loss/student-seed2": 1.0,
        "report/suite.loss/student-4": 2.0,
    }


def test_tensorboard_has_every_step_and_the_report(
    small_run: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training was interrupted, and went on."""
    pytest.importorskip("tensorboardX", reason="the extra `test` brings tensorboardX")
    report, made = small_run.make("compare")
    assert not made
    tracking.hand_over(small_run, "compare", report)
    assert capsys.readouterr().err.count("did not reach") == 0
    found = scalars(small_run.run_folder / "trackers" / "train")
    assert sorted(found["train/loss"]) == [1, 2, 3, 4, 5, 6]
    assert list(found["report/heldout_real.loss/student"]) == [6] and "report/heldout_real.loss/teacher" in found
    assert sorted(scalars(small_run.run_folder / "trackers" / "train-seed2")["train/loss"]) == [1, 2, 3, 4, 5, 6]
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
    assert not list(small_run.cache.glob("train*/**/events.*")), "no artifact has events in it"
    monkeypatch.setattr("distill.trackers.report", nobody_there)
    tracking.hand_over(small_run, "compare", report)
    assert "did not reach tensorboard: ConnectionError: nobody there" in capsys.readouterr().err


def nobody_there(*_: object, **__: object) -> None:
    raise ConnectionError("nobody there")


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Every number in a folder of TensorBoard's, by name and step."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = defaultdict(dict)
    for path in sorted(folder.rglob("events.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + size])
            at += 16 + size
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found[value.tag][event.step] = value.simple_value
    return found

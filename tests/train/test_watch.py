from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.errors import TrainError
from distill.train.data import TrainingData
from distill.train.order import BLANK
from distill.train.sft import Sft
from distill.train.watch import Watched, read_log
from tests.train.small import context_of, make_row

LOGS = {"loss": 2.0, "grad_norm": 0.5, "learning_rate": 0.1}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    from datasets import Dataset

    table = [{"id": make_row(number).id, "length": 3, "learnt": 2} for number in range(3)]
    data = TrainingData(Dataset.from_list(table), too_long=0)
    return Watched(data, [[0, 1], [2, BLANK]], tmp_path, "abc", context_of(tmp_path), Sft())


def test_a_line_says_how_far_and_over_how_many_tokens(watched: Watched) -> None:
    assert watched.entry(1, LOGS)["epoch"] == pytest.approx(2 / 3, abs=1e-6)
    assert watched.entry(1, LOGS)["tokens"] == 4
    last = watched.entry(2, LOGS)
    assert last == {"step": 2, "epoch": 1.0, "loss": 2.0, "learning_rate": 0.1, "grad_norm": 0.5, "tokens": 2}


@pytest.mark.parametrize("bad", [{"loss": float("nan")}, {"loss": float("inf")}, {"grad_norm": float("nan")}])
def test_a_loss_that_is_no_number_stops_with_step_and_rows(watched: Watched, bad: dict[str, float]) -> None:
    with pytest.raises(TrainError, match="step 1 of 2: the loss is") as error:
        watched.entry(1, {**LOGS, **bad})
    assert watched.data.ids[0] in str(error.value)
    assert "lower train.learning_rate" in str(error.value)


def test_lines_after_a_step_are_cut_and_so_is_half_a_line(watched: Watched) -> None:
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (1, 2, 3)]
    watched.log.write_text("\n".join(lines) + '\n{"step": 4, "lo')
    assert [line["step"] for line in read_log(watched.log)] == [1, 2, 3]
    watched.rewind(2)
    assert watched.log.read_text() == "\n".join(lines[:2]) + "\n"

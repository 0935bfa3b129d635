from __future__ import annotations

from pathlib import Path

import pytest

from distill.engines.template import IGNORE, encode
from distill.errors import TrainError
from distill.rows import Row
from distill.tokenise.encode import encode_row
from distill.tokenise.stage import record, write
from distill.train.data import in_order, read
from distill.train.order import BLANK
from tests.train.small import make_row

EMPTY = {"input_ids": [2, 2], "labels": [IGNORE, IGNORE]}


@pytest.fixture
def tokenizer(tiny_model: Path) -> object:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def written(tmp_path: Path, rows: list[Row], tokenizer: object) -> Path:
    write(tmp_path / "train.arrow", [record(row.id, encode_row(tokenizer, row)) for row in rows])  # type: ignore[arg-type]
    return tmp_path / "train.arrow"


def test_the_steps_are_read_one_after_the_other(tmp_path: Path, tokenizer: object) -> None:
    rows = [make_row(4), make_row(5)]
    data = read(written(tmp_path, rows, tokenizer), 100, "error")
    dataset = in_order(data, [[1, 0], [0, BLANK]], EMPTY)
    expected = [encode(tokenizer, row.messages) for row in rows]  # type: ignore[arg-type]
    assert [one["input_ids"] for one in dataset] == [expected[1].ids, expected[0].ids, expected[0].ids, [2, 2]]
    assert set(dataset[3]["labels"]) == {IGNORE}
    assert data.lengths == [len(one.ids) for one in expected] and data.ids == [row.id for row in rows]
    assert data.learnt == [sum(label != IGNORE for label in one.labels) for one in expected]


def test_rows_that_are_too_long_are_named_with_their_lengths(tmp_path: Path, tokenizer: object) -> None:
    rows = [make_row(1), make_row(2, words=60), make_row(3, words=90)]
    with pytest.raises(TrainError, match="2 rows are longer than 80 tokens") as error:
        read(written(tmp_path, rows, tokenizer), 80, "error")
    longest = max(len(encode(tokenizer, row.messages).ids) for row in rows)
    assert f"{rows[2].id} ({longest})" in str(error.value)
    assert f"set it to {longest} or more" in str(error.value)


def test_rows_that_are_too_long_are_dropped_and_counted(tmp_path: Path, tokenizer: object) -> None:
    rows = [make_row(1), make_row(2, words=60), make_row(3)]
    data = read(written(tmp_path, rows, tokenizer), 80, "drop")
    assert data.ids == [rows[0].id, rows[2].id]
    assert data.too_long == 1


def test_no_row_left_is_an_error(tmp_path: Path, tokenizer: object) -> None:
    with pytest.raises(TrainError, match="no row is left"):
        read(written(tmp_path, [make_row(1)], tokenizer), 3, "drop")
    with pytest.raises(TrainError, match="mix stage: it wrote no rows"):
        read(written(tmp_path, [], tokenizer), 3, "drop")

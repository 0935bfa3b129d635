from __future__ import annotations

from pathlib import Path

import pytest

from distill.engines.template import IGNORE, encode, encode_text
from distill.errors import TemplateError, TrainError
from distill.rows import Message, Row, write_rows
from distill.train.data import in_order, read
from distill.train.order import BLANK
from tests.train.small import make_row


@pytest.fixture
def tokenizer(tiny_model: Path) -> object:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def written(tmp_path: Path, rows: list[Row]) -> Path:
    write_rows(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


def test_rows_are_our_own_rendering_and_only_answers_are_learnt(tmp_path: Path, tokenizer: object) -> None:
    row = make_row(4)
    data = read(written(tmp_path, [row]), tokenizer, 100, "error")
    dataset = in_order(data, [[0, BLANK]], blank=2)
    expected = encode(tokenizer, row.messages)
    assert dataset[0] == {"input_ids": expected.ids, "labels": expected.labels}
    learnt = [token for token, label in zip(expected.ids, expected.labels, strict=True) if label != IGNORE]
    assert tokenizer.decode(learnt) == row.answer + "<|im_end|>"
    assert data.lengths == [len(expected.ids)]
    assert data.learnt == [len(learnt)]


def test_a_text_is_learnt_whole(tmp_path: Path, tokenizer: object) -> None:
    said = Message(role="assistant", content="The river runs past old stones.")
    row = make_row(4).model_copy(update={"kind": "text", "messages": (said,)})
    data = read(written(tmp_path, [row, make_row(4)]), tokenizer, 100, "error")
    assert data.encoded[0] == encode_text(tokenizer, said.content)
    assert tokenizer.decode(data.encoded[0].ids) == "The river runs past old stones.<|im_end|>"
    assert data.learnt[0] == data.lengths[0] - 1
    assert data.encoded[1] == encode(tokenizer, make_row(4).messages)


def test_a_blank_place_has_nothing_to_learn(tmp_path: Path, tokenizer: object) -> None:
    data = read(written(tmp_path, [make_row(4)]), tokenizer, 100, "error")
    dataset = in_order(data, [[BLANK, 0]], blank=2)
    assert set(dataset[0]["labels"]) == {IGNORE}
    assert set(dataset[0]["input_ids"]) == {2}


def test_rows_that_are_too_long_are_named_with_their_lengths(tmp_path: Path, tokenizer: object) -> None:
    rows = [make_row(1), make_row(2, words=60), make_row(3, words=90)]
    with pytest.raises(TrainError, match="2 rows are longer than 80 tokens") as error:
        read(written(tmp_path, rows), tokenizer, 80, "error")
    longest = max(len(encode(tokenizer, row.messages).ids) for row in rows)
    assert f"{rows[2].id} ({longest})" in str(error.value)
    assert f"set it to {longest} or more" in str(error.value)


def test_rows_that_are_too_long_are_dropped_and_counted(tmp_path: Path, tokenizer: object) -> None:
    rows = [make_row(1), make_row(2, words=60), make_row(3)]
    data = read(written(tmp_path, rows), tokenizer, 80, "drop")
    assert [row.id for row in data.rows] == [rows[0].id, rows[2].id]
    assert data.too_long == 1


def test_no_row_left_is_an_error(tmp_path: Path, tokenizer: object) -> None:
    with pytest.raises(TrainError, match="no row is left"):
        read(written(tmp_path, [make_row(1)]), tokenizer, 3, "drop")
    with pytest.raises(TrainError, match="mix stage: it wrote no rows"):
        read(written(tmp_path, []), tokenizer, 3, "drop")


def test_a_row_without_an_answer_is_an_error_that_names_it(tmp_path: Path, tokenizer: object) -> None:
    prompt = make_row(1).model_copy(update={"kind": "prompt"})
    with pytest.raises(TrainError, match=f"row {prompt.id}: a row of kind 'prompt'"):
        read(written(tmp_path, [prompt]), tokenizer, 100, "error")
    silent = make_row(1).model_copy(update={"messages": (Message(role="user", content="Hi"),)})
    with pytest.raises(TemplateError, match=f"row {silent.id}.*no assistant turn"):
        read(written(tmp_path, [silent]), tokenizer, 100, "error")

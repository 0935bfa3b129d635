from __future__ import annotations

from pathlib import Path

import pytest

from distill.context import Context, Resolved
from distill.engines.template import IGNORE, encode, encode_text
from distill.errors import TemplateError, TrainError
from distill.rows import Message, Row, write_rows
from distill.tokenise import stage
from tests.train.small import make_row

SAID = "The river runs past old stones."


def tokenised(tmp_path: Path, tiny_model: Path, rows: list[Row]) -> list[dict[str, object]]:
    from datasets import Dataset

    for name in ("mix", "out"):
        (tmp_path / name).mkdir(exist_ok=True)
    write_rows(tmp_path / "mix" / "train.jsonl", rows)
    context = Context(tmp_path / "cache", {"tiny": Resolved("tiny", tiny_model, "sha256:0")})
    summary = stage.run(stage.Spec(student="tiny"), {"mix": tmp_path / "mix"}, tmp_path / "out", context)
    assert summary["counts"]["rows"] == len(rows)
    return list(Dataset.from_file(str(tmp_path / "out" / "train.arrow")))


def test_rows_are_our_own_rendering_and_only_answers_are_learnt(tmp_path: Path, tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = make_row(4).model_copy(update={"kind": "text", "messages": (Message(role="assistant", content=SAID),)})
    rows = [make_row(4), text]
    chat, plain = tokenised(tmp_path, tiny_model, rows)
    for row, one, expected in (
        (rows[0], chat, encode(tokenizer, rows[0].messages)),
        (text, plain, encode_text(tokenizer, SAID)),
    ):
        learnt = [token for token, label in zip(expected.ids, expected.labels, strict=True) if label != IGNORE]
        assert one == {
            "id": row.id, "length": len(expected.ids), "learnt": len(learnt),
            "input_ids": expected.ids, "labels": expected.labels,
        }  # fmt: skip
        assert tokenizer.decode(learnt).endswith(row.answer.split()[-1] + "<|im_end|>")
    assert plain["learnt"] == plain["length"] - 1  # type: ignore[operator]


def test_more_rows_than_a_batch_come_in_their_order(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BATCH", 3)
    rows = [make_row(number) for number in range(8)]
    assert [one["id"] for one in tokenised(tmp_path, tiny_model, rows)] == [row.id for row in rows]
    assert tokenised(tmp_path, tiny_model, []) == []


def test_a_row_without_an_answer_is_an_error_that_names_it(tmp_path: Path, tiny_model: Path) -> None:
    prompt = make_row(1).model_copy(update={"kind": "prompt"})
    with pytest.raises(TrainError, match=f"row {prompt.id}: a row of kind 'prompt'"):
        tokenised(tmp_path, tiny_model, [prompt])
    silent = make_row(1).model_copy(update={"messages": (Message(role="user", content="Hi"),)})
    with pytest.raises(TemplateError, match=f"row {silent.id}.*no assistant turn"):
        tokenised(tmp_path, tiny_model, [silent])

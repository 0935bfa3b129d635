from __future__ import annotations

from pathlib import Path

import pytest

from distill.context import Context, Resolved
from distill.engines.template import IGNORE, encode, encode_text, prompt_ids
from distill.errors import TemplateError, TrainError
from distill.rows import Message, Row, write_rows
from distill.tokenise import stage
from tests.train.small import make_pair, make_row

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
            "prompt": len(prompt_ids(tokenizer, row.prompt)) if row is rows[0] else 0,
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


def test_pairs_are_a_prompt_and_two_answers_with_their_stop_token(tmp_path: Path, tiny_model: Path) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer

    (tmp_path / "mix").mkdir()
    row = make_pair(2)
    write_rows(tmp_path / "mix" / "preference.jsonl", [row])
    tokenised(tmp_path, tiny_model, [])
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    (pair,) = Dataset.from_file(str(tmp_path / "out" / "preference.arrow"))
    assert pair["id"] == row.id
    assert pair["prompt_ids"] == prompt_ids(tokenizer, row.prompt)
    assert tokenizer.decode(pair["chosen_ids"]) == row.answer + "<|im_end|>"
    assert tokenizer.decode(pair["rejected_ids"]) == row.rejected[0].content + "<|im_end|>"
    lengths = [len(pair[f"{part}_ids"]) for part in ("prompt", "chosen", "rejected")]
    assert pair["learnt"] == lengths[1] + lengths[2]
    assert pair["length"] == pair["learnt"] + 2 * lengths[0]
    assert pair["longest"] == lengths[0] + max(lengths[1:])


def test_a_pair_that_is_none_is_an_error_that_names_it(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mix").mkdir()
    write_rows(tmp_path / "mix" / "preference.jsonl", [make_row(1)])
    with pytest.raises(TrainError, match=f"row {make_row(1).id}: a row of kind 'chat'"):
        tokenised(tmp_path, tiny_model, [])
    alone = make_row(1).model_copy(update={"kind": "preference"})
    write_rows(tmp_path / "mix" / "preference.jsonl", [alone])
    with pytest.raises(TemplateError, match=f"row {alone.id}.*no assistant turn"):
        tokenised(tmp_path, tiny_model, [])

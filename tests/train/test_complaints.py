"""What users of other trainers suffer from, each with the test that keeps it away: docs/complaints.md.

Here is what no other file tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from distill.engines.template import IGNORE, stop_token
from distill.rows import Message
from distill.train import attention, data, passes
from tests.train.small import context_of, make_row, put, spec_of

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_the_table_names_is_there() -> None:
    page = (ROOT / "docs" / "complaints.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert numbers == list(range(1, 16))
    named = NAMED.findall(page)
    assert named
    missing = [
        f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def batches(folder: Path) -> list[dict[str, Any]]:
    """What the model is given for all rows, as the trainer of `sft` gives it."""
    from distill.engines import models
    from distill.train.objectives import open_how
    from distill.train.order import plan
    from distill.train.watch import Watched
    from tests.train.small import inputs_of

    spec, context = spec_of(epochs=1), context_of(folder, pass_tokens=200)
    how = open_how(spec, inputs_of(folder), context)
    rows = how.read()
    watched = Watched(rows, plan(rows.lengths, 16, 1, None, 5), folder, "", context, spec.train)
    dataset = how.dataset(watched, models.load_tokenizer(context.resolved["tiny"], context.cache))
    planned = passes.plan(dataset["length"], 16, 1, 200)
    return [passes.collate([one]) for one in passes.dataset(dataset, planned)]


def test_complaint_1_every_answer_in_every_pass_ends_with_a_stop_token_that_is_learnt(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    stop, answers = stop_token(tokenizer), 0
    for batch in batches(folder):
        labels = batch["labels"][0].tolist()
        runs = [
            place
            for place, label in enumerate(labels)
            if label != IGNORE and labels[place + 1 : place + 2] in ([], [IGNORE])
        ]
        assert all(labels[place] == stop for place in runs)
        answers += len(runs)
    assert answers == 40  # one a row


def test_complaint_2_all_turns_of_a_conversation_with_a_system_message_are_learnt_in_training(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    said = [("system", "Be brief."), ("user", "One?"), ("assistant", "Yes."), ("user", "Two?"), ("assistant", "No.")]
    chat = tuple(Message(role=role, content=content) for role, content in said)  # type: ignore[arg-type]
    put(folder, [make_row(1).model_copy(update={"messages": chat}), make_row(2)])
    (batch,) = batches(folder)
    learnt = [label for label in batch["labels"][0].tolist() if label != IGNORE]
    text = tokenizer.decode(learnt)
    assert "Yes.<|im_end|>No.<|im_end|>" in text
    assert not any(word in text for word in ("brief", "One", "Two"))


@pytest.mark.slow
def test_complaint_12_a_packed_row_of_a_real_model_has_its_loss_alone(tmp_path: Path) -> None:
    """SmolLM2 in float32, on rows that a model reads otherwise if it sees the one before."""
    import torch

    from distill.context import Resolved
    from distill.engines import models
    from distill.sources.references import resolve
    from distill.tokenise.encode import encode_row
    from tests.conftest import SMOL

    source: Resolved = resolve(SMOL, "model", Path(), Path(), tmp_path)
    loaded = models.load(source, tmp_path, "float32")
    assert attention.obstacle(loaded.model) is None
    rows = [
        encode_row(loaded.tokenizer, make_row(number, words)) for number, words in ((1, 40), (2, 5), (2, 5), (3, 80))
    ]

    def losses(logits: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(labels)[1:], reduction="none")

    batch = passes.collate([{"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]}])
    del batch["labels"]
    with torch.no_grad():
        with attention.apart(loaded.model):
            together = loaded.model(**batch, use_cache=False).logits[0]
        for row, part in zip(rows, together.split([len(row.ids) for row in rows]), strict=True):
            alone = loaded.model(input_ids=torch.tensor([row.ids]), use_cache=False).logits[0]
            assert torch.allclose(losses(part, row.labels), losses(alone, row.labels), atol=1e-4)


def test_complaint_12_packing_leaves_every_row_and_token_where_padding_does(folder: Path) -> None:
    rows = data.read(folder / "tokens" / "train.arrow", 2048, "error")
    learnt = sum(int((batch["labels"] != IGNORE).sum()) for batch in batches(folder))
    assert learnt == sum(rows.learnt)

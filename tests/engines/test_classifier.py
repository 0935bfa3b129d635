"""Sequence classifiers: logits of a small real one, kept, shared by ranks, the same whatever the batch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from distill.context import Context, Ranks, Resolved, Runtime
from distill.engines.classifier import Classifier, open_classifier
from distill.errors import SourceError
from distill.rows import Message
from tests.beside import together
from tests.engines.classifiers import decoder, encoder

TALK = [
    (Message(role="user", content=f"Question {n}?"), Message(role="assistant", content="word " * (n + 1)))
    for n in range(5)
]


def opened(folder: Path, cache: Path, ranks: Ranks | None = None, batch_tokens: int = 8192) -> Classifier:
    context = Context(cache, {}, Runtime(batch_tokens=batch_tokens), ranks or Ranks())
    return open_classifier(Resolved("c", folder, "sha256:1"), context)


@pytest.fixture(scope="module")
def reward(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return decoder(tmp_path_factory.mktemp("reward"), tiny_model)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("classes"), ("calm", "rude", "spam"))


def test_a_conversation_is_read_by_the_chat_template_to_its_last_token(reward: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(reward).eval()
    tokenizer = AutoTokenizer.from_pretrained(reward)
    one = opened(reward, tmp_path)
    assert len(one.labels) == 1
    wanted = []
    for messages in TALK:
        said = [{"role": message.role, "content": message.content} for message in messages]
        ids = tokenizer(tokenizer.apply_chat_template(said, tokenize=False), add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            # The head on the last token itself, whatever the model thinks padding is.
            hidden = model.model(torch.tensor([ids])).last_hidden_state[0, -1]
            wanted.append([pytest.approx(float(model.score(hidden)), abs=1e-4)])
    assert one.logits(TALK) == wanted
    assert opened(reward, tmp_path / "other", batch_tokens=1).logits(TALK) == wanted


def test_a_model_without_a_template_reads_a_pair_or_the_answer_alone(classes: Path, tmp_path: Path) -> None:
    one = opened(classes, tmp_path)
    assert one.labels == ("calm", "rude", "spam")
    pair, alone = one.logits(TALK[:1]), one.logits(TALK[:1], answer_only=True)
    assert pair != alone and len(pair[0]) == 3
    other = (Message(role="user", content="Something else?"), TALK[0][-1])
    assert one.logits([other], answer_only=True) == alone and one.logits([other]) != pair


def test_what_was_said_is_kept_and_needs_no_weights(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(classes, tmp_path).logits(TALK)
    again = opened(classes, tmp_path)
    monkeypatch.setattr(again, "_load", lambda: pytest.fail("the model was loaded"))
    assert again.logits(TALK[::-1]) == first[::-1] and again.logits([]) == []


def test_what_is_longer_than_the_model_reads_has_a_reason_and_no_logits(classes: Path, tmp_path: Path) -> None:
    long = (TALK[0][0], Message(role="assistant", content="word " * 200))
    huge = (TALK[0][0], Message(role="assistant", content="x" * 10_000_000))
    broken = (TALK[0][0], Message(role="assistant", content="word \ud800 नमस्ते"))
    said = opened(classes, tmp_path).logits([long, huge, broken])
    assert said[0] == "206 tokens; the model reads 64 tokens"
    assert said[1] == "10000011 characters; the model reads 64 tokens"
    assert isinstance(said[2], list)


def test_what_the_chat_template_refuses_has_a_reason_and_no_logits(reward: Path, tmp_path: Path) -> None:
    folder = tmp_path / "strict"
    shutil.copytree(reward, folder)
    written = (folder / "chat_template.jinja").read_text()
    refusing = "{% if messages[0].role != 'user' %}{{ raise_exception('The user begins') }}{% endif %}"
    (folder / "chat_template.jinja").write_text(refusing + written)
    said = opened(folder, tmp_path).logits([TALK[0][1:], TALK[0]])
    assert said[0] == "the chat template cannot render assistant: The user begins"
    assert [said[1]] == opened(reward, tmp_path / "other").logits(TALK[:1])


def test_ranks_share_the_work_and_get_all_logits(classes: Path, tmp_path: Path) -> None:
    whole = opened(classes, tmp_path / "alone")
    alone = whole.logits(TALK)

    def rank(ranks: Ranks) -> list[list[float] | str]:
        mine = opened(classes, tmp_path / "shared", ranks, 16)
        mine._model = whole._model  # two threads cannot load at once: transformers patches itself while it does
        return mine.logits(TALK)

    one, two = together(2, rank)
    assert one == two
    assert all(a == pytest.approx(b, abs=1e-4) for a, b in zip(one, alone, strict=True))
    kept = [line for path in (tmp_path / "shared").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(kept) == len(TALK) == len(set(kept))


def test_a_language_model_has_no_head_and_an_empty_folder_no_model(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"weights are missing, score\.weight first"):
        opened(tiny_model, tmp_path).logits(TALK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no sequence classifier can be read"):
        opened(tmp_path / "empty", tmp_path).logits(TALK)

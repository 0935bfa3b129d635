"""Each turn is asked in its own words, ends where it should, and comes back as its text."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.context import Context, Resolved
from distill.engines import models
from distill.engines.template import has_template
from distill.engines.transformers import Transformers, TransformersEngine
from distill.engines.turns import completion, ends, row_of, split_reasoning
from distill.errors import EngineError, TemplateError
from distill.protocols import Request, Sampling
from distill.rows import Message
from tests.conftest import TOKENS

ASKED = Message(role="user", content="What is the time?")
ANSWERED = Message(role="assistant", content="Ten o'clock.")
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"
)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(cache=tmp_path, resolved={})


@pytest.fixture
def base_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model without its chat template."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink()
    return folder


def engine(folder: Path, context: Context) -> TransformersEngine:
    return TransformersEngine(Resolved("tiny", folder, "sha256:0"), context, Transformers(dtype="float32"))


def request(*messages: Message, **changes: object) -> Request:
    return replace(Request(messages, Sampling(temperature=0, max_new_tokens=8)), **changes)


def greedy(folder: Path, context: Context, ids: list[int]) -> list[int]:
    from transformers import GenerationConfig

    model = models.load(Resolved("tiny", folder, "sha256:0"), context.cache, "float32").model
    how = GenerationConfig(max_new_tokens=8, do_sample=False, eos_token_id=2, pad_token_id=2)
    given = torch.tensor([ids])
    return model.generate(given, attention_mask=torch.ones_like(given), generation_config=how)[0, len(ids) :].tolist()


def test_the_users_turn_is_opened_by_the_template_and_goes_on_from_there(tiny_model: Path, context: Context) -> None:
    opened = engine(tiny_model, context)
    asked = request(ASKED, ANSWERED, turn="user")
    (done,) = opened.generate([asked])
    prompt = "<|im_start|>user\nWhat is the time?<|im_end|>\n<|im_start|>assistant\nTen o'clock.<|im_end|>\n<|im_start|>user\n"
    ids = opened._tokens(prompt)["input_ids"]
    given = row_of(opened._tokens, asked).prompt
    assert opened._tokens.decode(given).endswith(prompt) and given[-len(ids) :] == ids
    expected = greedy(tiny_model, context, given)
    assert (done.text, done.new_tokens) == (opened._tokens.decode(expected).strip(), 8)
    assert done.prompt_tokens == len(given)


def test_the_users_turn_ends_with_the_token_of_the_template(
    tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "stop_ids", lambda *_: set())  # but for the turn's own
    opened = engine(tiny_model, context)
    row = row_of(opened._tokens, request(ASKED, ANSWERED, turn="user"))
    stop = opened._tokens.convert_tokens_to_ids("<|im_end|>")
    assert (row.stops, row.endings) == ({stop}, ())
    row.answer = opened._tokens(" And now?")["input_ids"]
    assert not ends(opened._tokens, row)
    row.answer.append(stop)
    assert ends(opened._tokens, row)
    row.ended = True
    assert (completion(opened._tokens, row).text, completion(opened._tokens, row).finish) == ("And now?", "stop")


def test_the_users_turn_ends_with_the_text_of_a_template_without_a_token_for_it(
    tiny_model: Path, context: Context
) -> None:
    tokens = engine(tiny_model, context)._tokens
    tokens.chat_template = LLAMA2
    row = row_of(tokens, request(ASKED, ANSWERED, turn="user"))
    assert "[/INST]" in row.endings
    for token in tokens("And now? [/INST] It is")["input_ids"]:
        row.answer.append(token)
        if ends(tokens, row):
            break
    row.ended = True
    assert tokens.decode(row.answer) == "And now? [/INST]"
    assert (completion(tokens, row).text, completion(tokens, row).finish) == ("And now?", "stop")


def test_plain_text_goes_on_as_it_stands(tiny_model: Path, base_model: Path, context: Context) -> None:
    text = Message(role="user", content="The quick brown fox")
    for folder in (tiny_model, base_model):
        opened = engine(folder, context)
        ids = opened._tokens(text.content)["input_ids"]
        (done,) = opened.generate([request(text, turn="text")])
        expected = greedy(folder, context, ids)
        assert done.text == opened._tokens.decode(expected) and done.prompt_tokens == len(ids)


def test_white_space_of_a_text_is_kept_and_its_thinking_is_text(tiny_model: Path, context: Context) -> None:
    tokens = engine(tiny_model, context)._tokens
    row = row_of(tokens, request(ASKED, turn="text"))
    row.answer = tokens(" <think> so\n")["input_ids"]
    assert (completion(tokens, row).text, completion(tokens, row).reasoning) == (" <think> so\n", None)


def test_what_cannot_be_asked_fails_alone(base_model: Path, context: Context) -> None:
    opened = engine(base_model, context)
    assert not has_template(opened._tokens)
    asked = {
        "no chat template": request(ASKED),
        "has no chat template": request(ASKED, ANSWERED, turn="user"),
        "one message": request(ASKED, ANSWERED, turn="text"),
        "no tokens": request(Message(role="user", content=""), turn="text"),
    }
    done = {c.request: c for c in opened.generate([*asked.values(), request(ANSWERED, turn="text")])}
    for reason, each in asked.items():
        assert done[each.key].finish == "error" and reason in str(done[each.key].error)
    assert done[request(ANSWERED, turn="text").key].finish == "length"
    with pytest.raises(TemplateError):
        row_of(opened._tokens, request(ASKED))
    with pytest.raises(EngineError):
        row_of(opened._tokens, request(turn="text"))


def test_a_base_model_has_another_name(base_model: Path, tiny_model: Path, context: Context) -> None:
    assert engine(base_model, context).name != engine(tiny_model, context).name
    assert engine(base_model, context).template != engine(tiny_model, context).template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ", ("plain", None, True)),
        ("<think>\nwhy\n</think>\n\nbecause", ("because", "why", True)),
        ("<think>\n\n</think>\n\nyes", ("yes", None, True)),
        ("<think>never ends", ("", "never ends", False)),
        ("an answer about <think> tags", ("an answer about <think> tags", None, True)),
    ],
)
def test_reasoning_is_split_from_the_answer(text: str, expected: tuple[str, str | None, bool]) -> None:
    assert split_reasoning(text) == expected


def test_an_unclosed_reasoning_is_cut_off_even_where_it_stopped(
    tiny_model: Path, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    opens = "{% if add_generation_prompt %}<think>\n{% endif %}"
    (folder / "chat_template.jinja").write_text((folder / "chat_template.jinja").read_text() + opens)
    monkeypatch.setattr(models, "stop_ids", lambda *_: set(range(TOKENS)))
    (done,) = engine(folder, context).generate([request(ASKED)])
    assert (done.text, done.finish) == ("", "length")

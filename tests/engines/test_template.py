"""The one rendering: what is learnt, compared with the templates that TRL marks by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from distill.engines.template import (
    IGNORE,
    answer_span,
    encode,
    encode_text,
    opening,
    preview,
    prompt_ids,
    stop_token,
    template_hash,
    without_first,
)
from distill.errors import TemplateError
from distill.rows import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

CHAT = (
    Message(role="user", content="Hi there"),
    Message(role="assistant", content="Hello you."),
    Message(role="user", content="And more?"),
    Message(role="assistant", content="No more, 12."),
)
MARKS = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end|>", "<|user|>", "<|assistant|>"]
MARKS += ["<start_of_turn>", "<end_of_turn>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(str(tiny_model))
    return tokenizer


def learnt(tokenizer: Tokenizer, messages: tuple[Message, ...] = CHAT) -> list[str]:
    """What each run of learnt tokens says."""
    encoded, runs, before = encode(tokenizer, messages), [""], IGNORE
    for label in encoded.labels:
        if label == IGNORE and before != IGNORE:
            runs.append("")
        elif label != IGNORE:
            runs[-1] += tokenizer.decode([label])
        before = label
    return [run for run in runs if run]


def trl_template(name: str) -> str:
    trl = pytest.importorskip("trl")
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()


def test_every_answer_and_its_stop_token_is_learnt_and_nothing_else(tokenizer: Tokenizer) -> None:
    assert "generation" not in str(tokenizer.chat_template).replace("add_generation_prompt", "")
    assert learnt(tokenizer) == ["Hello you.<|im_end|>", "No more, 12.<|im_end|>"]


# What TRL learns besides: the newline that the prompt ends with, and what follows the stop token.
TRL = {
    "qwen2_5": ["\n", "\n", "\n", "\n"],
    "qwen3_instruct_2507": ["\n", "\n"],
    "gemma": ["\n", "\n"],
    "lfm2": ["\n", "\n"],
    "phi3": ["\n", "\n", "<|im_end|>"],
    "cohere": [],
}


@pytest.mark.parametrize("name", TRL)
def test_trl_learns_the_same_and_what_follows_the_stop_token(tokenizer: Tokenizer, name: str) -> None:
    tokenizer.add_special_tokens({"additional_special_tokens": MARKS})
    tokenizer.chat_template = trl_template(f"{name}_training")
    theirs = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in CHAT], return_dict=True, return_assistant_tokens_mask=True
    )
    ours = encode(tokenizer, CHAT)
    assert ours.ids == theirs["input_ids"]
    pairs = list(zip(ours.ids, ours.labels, theirs["assistant_masks"], strict=True))
    assert [token for token, label, mask in pairs if label != IGNORE and not mask] == []
    assert [tokenizer.decode([token]) for token, label, mask in pairs if label == IGNORE and mask] == TRL[name]
    tokenizer.chat_template = trl_template(name)  # the original, without marks
    assert encode(tokenizer, CHAT) == ours


def test_the_answer_is_the_last_learnt_run(tokenizer: Tokenizer) -> None:
    encoded = encode(tokenizer, CHAT)
    start, end = answer_span(encoded)
    assert tokenizer.decode(encoded.ids[start:end]) == "No more, 12.<|im_end|>"
    assert encoded.ids[:start] == prompt_ids(tokenizer, CHAT[:-1])
    assert answer_span(encode(tokenizer, CHAT, last_only=True)) == (start, end)


def test_a_template_that_rewrites_the_past_is_refused_with_the_place(tokenizer: Tokenizer) -> None:
    tokenizer.chat_template = trl_template("qwen3")  # drops the reasoning of all but the last turn
    with pytest.raises(TemplateError, match=r"turn 1.*renders a conversation differently.*think") as caught:
        encode(tokenizer, CHAT)
    assert caught.value.hint
    assert learnt(tokenizer, CHAT[:2]) == ["<think>\n\n</think>\n\nHello you.<|im_end|>"]
    assert encode(tokenizer, CHAT, last_only=True).labels.count(IGNORE) > 0


def test_tokens_that_change_at_the_seam_are_refused(tokenizer: Tokenizer) -> None:
    messages = (CHAT[0], Message(role="assistant", content="\n\nHello"))
    with pytest.raises(TemplateError, match=r"turn 1.*same text becomes other tokens"):
        encode(tokenizer, messages)


@pytest.mark.parametrize(
    ("template", "match"),
    [
        (CHATML.replace("<|im_end|>", "[END]"), "no stop token"),
        ("{% for m in messages %}{{ m.role }}<|im_end|>{% endfor %}", "no stop token"),
        ("{{ raise_exception('system only') }}", "cannot render .*system only"),
        ("{{ messages[0].x.y }}", "cannot render"),
        (None, "no chat template"),
    ],
)
def test_templates_that_cannot_be_learnt_from(tokenizer: Tokenizer, template: str | None, match: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(TemplateError, match=match):
        encode(tokenizer, CHAT)


def test_a_turn_without_the_stop_token_is_refused(tokenizer: Tokenizer) -> None:
    stopped = "{% if m.content != 'Hello you.' %}<|im_end|>{% endif %}"
    tokenizer.chat_template = CHATML.replace("<|im_end|>\n", stopped + "\n")
    with pytest.raises(TemplateError, match="turn 1 is not ended by the stop token"):
        encode(tokenizer, CHAT[:2])


def test_a_conversation_without_an_answer_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(TemplateError, match="no assistant turn"):
        encode(tokenizer, CHAT[:1])


def test_reasoning_is_rendered_where_the_template_knows_it(tokenizer: Tokenizer) -> None:
    tokenizer.chat_template = trl_template("qwen3")
    thought = (CHAT[0], Message(role="assistant", content="Hello.", reasoning="They greet."))
    assert learnt(tokenizer, thought) == ["<think>\nThey greet.\n</think>\n\nHello.<|im_end|>"]


def test_the_date_is_the_same_on_every_day(tokenizer: Tokenizer) -> None:
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }}\n" + CHATML
    assert tokenizer.decode(prompt_ids(tokenizer, CHAT[:1])).startswith("26 Jul 2024\n<|im_start|>user")


def test_the_hash_goes_with_the_template(tokenizer: Tokenizer) -> None:
    before = template_hash(tokenizer)
    assert before == template_hash(tokenizer)
    tokenizer.chat_template = CHATML
    assert template_hash(tokenizer) != before
    assert tokenizer.decode([stop_token(tokenizer)]) == "<|im_end|>"


def test_preview_marks_what_is_learnt_and_lets_no_control_through(tokenizer: Tokenizer) -> None:
    tokenizer.chat_template = CHATML
    encoded = encode(tokenizer, (Message(role="user", content="a\x1b[31m"), Message(role="assistant", content="The.")))
    plain = preview(tokenizer, encoded, colour=False)
    assert plain.splitlines()[-1] == "[The][.][<|im_end|>]⏎"
    assert "\x1b" not in plain and "\\x1b" in plain
    assert preview(tokenizer, encoded, colour=True).count("\x1b[42;30m") == 3


QWEN_SYSTEM = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
HELLO = "<|start_header_id|>user<|end_header_id|>\n\n"


@pytest.mark.parametrize(
    ("name", "text", "stops"),
    [
        ("qwen2_5", f"{QWEN_SYSTEM}<|im_start|>user\n", ("<|im_end|>",)),
        ("qwen3", "<|im_start|>user\n", ("<|im_end|>",)),
        ("gemma", "<|im_start|><start_of_turn>user\n", ("<end_of_turn>",)),
        ("llama3", f"<|im_start|>{HELLO}", ("<|eot_id|>",)),
        ("phi3", "<|user|>\n", ("<|end|>",)),
        ("cohere", "<|im_start|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>", ("<|END_OF_TURN_TOKEN|>",)),
        ("glm4moe", "[gMASK]<sop><|user|>\n", ("<|assistant|>",)),
    ],
)
def test_the_users_turn_is_opened_as_the_template_opens_it(
    tokenizer: Tokenizer, name: str, text: str, stops: tuple[str, ...]
) -> None:
    tokenizer.add_special_tokens({"additional_special_tokens": [*MARKS, "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"]})
    tokenizer.chat_template = trl_template(name)
    opened = opening(tokenizer, ())
    assert (opened.text, opened.stops) == (text, stops)
    assert tokenizer.decode(opened.ids) == text
    assert [tokenizer.decode([stop]) for stop in opened.stop_ids] == list(stops)
    # What a user says from there on is what the template itself would have written.
    spoken = prompt_ids(tokenizer, CHAT[:1])
    assert spoken[: len(opened.ids)] == opened.ids


def test_the_users_next_turn_follows_what_was_said(tokenizer: Tokenizer) -> None:
    opened = opening(tokenizer, (Message(role="system", content="Be kind."), *CHAT))
    assert (
        opened.ids[: len(spoken := encode(tokenizer, (Message(role="system", content="Be kind."), *CHAT)).ids)]
        == spoken
    )
    assert opened.text.endswith("No more, 12.<|im_end|>\n<|im_start|>user\n")
    own = opening(tokenizer, ())
    assert "named SmolLM" in own.text  # the template's default system message
    assert opened.stop_ids == own.stop_ids == {stop_token(tokenizer)}


LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)


def test_a_turn_that_text_alone_ends(tokenizer: Tokenizer) -> None:
    tokenizer.chat_template = LLAMA2
    opened = opening(tokenizer, CHAT[:2])
    assert opened.text == "<|im_start|>[INST] Hi there [/INST] Hello you. <|im_end|>[INST]"
    assert tokenizer.decode(opened.ids) == opened.text
    assert (opened.stops, opened.stop_ids) == (("[/INST]",), frozenset())
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "</turn><|im_end|>")
    assert opening(tokenizer, ()).stops == ("</turn>", "<|im_end|>")


@pytest.mark.parametrize(
    ("template", "match"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}", "no place"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}<|im_end|>{% endfor %}", "no place"),
        ("{% for m in messages %}{{ m.role }}<|im_end|>{% endfor %}", "no place"),
        ("{{ raise_exception('not so') }}", "cannot render user: not so"),
    ],
)
def test_templates_without_a_place_for_the_user(tokenizer: Tokenizer, template: str, match: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(TemplateError, match=match):
        opening(tokenizer, ())


def test_the_first_token_is_left_to_a_tokenizer_that_writes_it_itself(tokenizer: Tokenizer) -> None:
    from tokenizers.processors import TemplateProcessing

    assert without_first(tokenizer, "<|im_start|>user") == "<|im_start|>user"
    fast: Any = tokenizer
    fast.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
    )
    assert without_first(tokenizer, "<|im_start|>user") == "user"
    assert without_first(tokenizer, "user") == "user"


def test_a_text_is_learnt_to_its_end_token_but_for_what_nothing_precedes(tokenizer: Tokenizer) -> None:
    text = "Moss grows where it is wet.\n\nIt has no roots."
    encoded = encode_text(tokenizer, text)
    assert tokenizer.decode(encoded.ids) == text + tokenizer.eos_token
    assert encoded.labels == [IGNORE, *encoded.ids[1:]]
    assert preview(tokenizer, encoded, colour=False).startswith("M[oss]")


def test_a_text_begins_with_the_token_that_the_tokenizer_puts_before_texts(tokenizer: Tokenizer) -> None:
    from tokenizers.processors import TemplateProcessing

    bos, number = tokenizer.bos_token, tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, number)])
    plain = tokenizer("Moss grows.", add_special_tokens=False)["input_ids"]
    encoded = encode_text(tokenizer, "Moss grows.")
    assert encoded.ids == [number, *plain, tokenizer.eos_token_id]
    assert encoded.labels == [IGNORE, *plain, tokenizer.eos_token_id]


def test_a_text_without_an_end_token_cannot_be_learnt(tokenizer: Tokenizer) -> None:
    tokenizer.eos_token = None
    with pytest.raises(TemplateError, match="no end token"):
        encode_text(tokenizer, "Moss grows.")

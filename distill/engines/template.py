"""messages -> token ids and labels: the one rendering, for prompts, training and scoring alike.

The chat template writes the text and the tokenizer turns it into ids; nothing else in distill does either. Labels are
derived by rendering prefixes of the conversation, so that templates without generation marks work too, and every prefix
is checked to hold in the whole. Lengths and truncation are the caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any

from distill.errors import TemplateError
from distill.rows import Message, digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

IGNORE = -100
"""The label of a token that is not learnt: what torch's cross entropy leaves out."""

TODAY = {"%Y": "2024", "%m": "07", "%d": "26", "%b": "Jul", "%B": "July"}
"""What a template that asks for the date is told: the same on every day, or no answer could be found again."""

PROBE = (Message(role="user", content="question"), Message(role="assistant", content="answer"))
SENTINEL = "QzUserWritesHereQz"
"""What a user says while the words around it are looked for. Ordinary letters: a template may trim or quote."""


@dataclass(frozen=True)
class Encoded:
    """A conversation as a model reads it."""

    ids: list[int]
    labels: list[int]
    """Same length; the token's id where it is learnt, IGNORE elsewhere."""


@dataclass(frozen=True)
class Opening:
    """A conversation up to the place where the user begins to write."""

    text: str
    """Without a space at its end, which a user's first token brings along."""
    ids: list[int]
    """Its tokens, cut as they are where words follow."""
    stops: tuple[str, ...]
    """What the template writes right after the user's words, any of which ends them."""
    stop_ids: frozenset[int]
    """The special token among it; empty where only text marks the end (Llama 2's `[/INST]`)."""


def template_hash(tokenizer: Tokenizer) -> str:
    """Hash of all that decides the rendering: the template, if there is one, and the tokens it may name; 16 hex digits."""
    template = _template(tokenizer) if has_template(tokenizer) else None
    return digest([template, tokenizer.bos_token, tokenizer.eos_token])[:16]


def has_template(tokenizer: Tokenizer) -> bool:
    """Whether the model was made for conversations. A base model is good for plain text only."""
    return bool(_written(tokenizer))


def stop_token(tokenizer: Tokenizer) -> int:
    """Id of the token that the template writes right after an answer.

    Raises:
        TemplateError: it writes none, so a student could never learn to stop.
    """
    text = render(tokenizer, PROBE, generate=False)
    _, found, rest = text.rpartition(PROBE[1].content)
    stop = next((token for token in _ids(tokenizer, rest) if token in _special(tokenizer)), None)
    if stop is None or not found:
        raise TemplateError(
            f"the chat template writes no stop token after an answer, only {rest!r}",
            hint="use a template that ends each turn with a special token (`<|im_end|>`, `</s>`, …)",
        )
    return stop


def render(tokenizer: Tokenizer, messages: Sequence[Message], generate: bool) -> str:
    """The conversation as the chat template writes it; with `generate`, and the words that open the assistant's turn.

    Raises:
        TemplateError: the model has no template, or one that refuses this conversation.
    """
    import jinja2

    records: list[dict[str, Any]] = []
    for message in messages:
        record = {"role": message.role, "content": message.content}
        if message.reasoning is not None:
            record["reasoning_content"] = message.reasoning
        records.append(record)
    try:
        rendered = tokenizer.apply_chat_template(
            records,
            chat_template=_template(tokenizer),
            tokenize=False,
            add_generation_prompt=generate,
        )
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        roles = " ".join(message.role for message in messages)
        raise TemplateError(f"the chat template cannot render {roles}: {error}") from error
    return str(rendered)


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The conversation so far and the words that open the assistant's turn."""
    return _ids(tokenizer, render(tokenizer, messages, generate=True))


def text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """A text without any template, behind the tokens that this model's texts begin with, for it to go on."""
    ids = list(tokenizer(text, verbose=False)["input_ids"])
    return ids[:-1] if ids[-1:] == [tokenizer.eos_token_id] and text else ids


def opening(tokenizer: Tokenizer, messages: Sequence[Message]) -> Opening:
    """The conversation so far and the words that open the user's turn, whatever the template writes before a user.

    A template's own system message, and one that it puts into the user's turn, stand before the place as they would
    before the user's words.

    Args:
        messages: none, a system message, or turns of which the last is the assistant's.

    Raises:
        TemplateError: the template cannot render this, leaves out the user's words, or writes nothing after them.
    """
    text = render(tokenizer, [*messages, Message(role="user", content=SENTINEL)], generate=True)
    before, _, after = text.partition(SENTINEL)
    end = next((token for token in _ids(tokenizer, after) if token in _special(tokenizer)), None)
    special = "" if end is None else tokenizer.decode([end])
    written = after.partition(special)[0] if special else after
    stops = tuple(stop for stop in (*written.strip().splitlines()[:1], special) if stop)
    if text.count(SENTINEL) != 1 or not stops:
        raise TemplateError(
            f"the chat template shows no place for a user's words and their end: {text[-120:]!r}",
            hint="use a model whose template marks turns, or a method that does not let the teacher write the user's",
        )
    # What two users write differently is theirs: a space before the words too, where it is part of their first token.
    one, other = (_ids(tokenizer, before + words) for words in (SENTINEL, PROBE[0].content))
    ids = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]
    return Opening(before.rstrip(" "), ids, stops, frozenset() if end is None else frozenset({end}))


def without_first(tokenizer: Tokenizer, text: str) -> str:
    """A rendered text less the first token, where the tokenizer puts that before every text by itself, as servers do."""
    first = tokenizer.bos_token
    adds = bool(first) and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(str(first)) if adds else text


def encode(tokenizer: Tokenizer, messages: Sequence[Message], last_only: bool = False) -> Encoded:
    """A conversation with the labels of its assistant turns: what each says and its stop token, not what follows that.

    Args:
        last_only: label only the last turn; earlier ones then need not read in the whole as they did at their time
            (with templates that drop old reasoning they do not).

    Raises:
        TemplateError: a prefix does not hold in the whole, a turn has no stop token, or there is no assistant turn.
    """
    turns = [turn for turn, message in enumerate(messages) if message.role == "assistant"]
    if not turns:
        raise TemplateError(
            "the conversation has no assistant turn to learn", hint="give rows of kind chat to training"
        )
    text = render(tokenizer, messages, generate=False)
    ids = _ids(tokenizer, text)
    labels = [IGNORE] * len(ids)
    for turn in turns[-1:] if last_only else turns:
        start, end = _answer_span(tokenizer, messages, turn, text, ids)
        labels[start:end] = ids[start:end]
    return Encoded(ids, labels)


def encode_text(tokenizer: Tokenizer, text: str) -> Encoded:
    """A plain text with the token that ends one; all of it is learnt, but for the first token, which nothing precedes.

    Where the tokenizer begins every text with a token of its own, that is the first.

    Raises:
        TemplateError: the tokenizer has no end token.
    """
    if tokenizer.eos_token_id is None:
        raise TemplateError("the tokenizer has no end token, so that a student could never learn where a text ends")
    begins = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    ids = [*([tokenizer.bos_token_id] if begins else []), *_ids(tokenizer, text), tokenizer.eos_token_id]
    return Encoded(ids, [IGNORE, *ids[1:]])


def answer_span(encoded: Encoded) -> tuple[int, int]:
    """First and past-the-last position of the last learnt turn, its stop token included: what scoring looks at."""
    end = len(encoded.labels)
    while encoded.labels[end - 1] == IGNORE:
        end -= 1
    start = end
    while start and encoded.labels[start - 1] != IGNORE:
        start -= 1
    return start, end


def foretelling(encoded: Encoded) -> list[int]:
    """Positions whose next token is learnt: where a model says what it expects of it."""
    return [place for place, label in enumerate(encoded.labels[1:]) if label != IGNORE]


def preview(tokenizer: Tokenizer, encoded: Encoded, colour: bool) -> str:
    """The conversation token by token; learnt tokens on green where there is colour, else in brackets."""
    opening, closing = ("\x1b[42;30m", "\x1b[0m") if colour else ("[", "]")
    parts = []
    for token, label in zip(encoded.ids, encoded.labels, strict=True):
        text = "".join(_visible(char) for char in tokenizer.decode([token]))
        parts.append(f"{opening}{text}{closing}" if label != IGNORE else text)
        if "⏎" in text:
            parts.append("\n")
    return "".join(parts)


def _visible(char: str) -> str:
    """Newlines as a sign, and no control character through to the terminal."""
    if char == "\n":
        return "⏎"
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def _answer_span(
    tokenizer: Tokenizer, messages: Sequence[Message], turn: int, text: str, ids: list[int]
) -> tuple[int, int]:
    """Where one turn's answer begins, and where it ends behind its stop token."""
    before = render(tokenizer, messages[:turn], generate=True)
    _check_prefix(before, text, f"turn {turn} (opening)")
    start = _ids_hold(tokenizer, before, ids, f"turn {turn} (opening)")
    after = text if turn == len(messages) - 1 else render(tokenizer, messages[: turn + 1], generate=False)
    after_ids = ids if after is text else _ids(tokenizer, after)
    stop = stop_token(tokenizer)
    stops = [place for place in range(start, len(after_ids)) if after_ids[place] == stop]
    if not stops:
        raise TemplateError(
            f"turn {turn} is not ended by the stop token {tokenizer.decode([stop])!r}: {after[len(before) :][-80:]!r}",
            hint="the template must end every assistant turn alike",
        )
    end = stops[-1] + 1
    # What a template writes behind the stop token of a last turn (Phi writes an end of text) may differ in the whole.
    if after_ids[:end] != ids[:end]:
        _check_prefix(tokenizer.decode(after_ids[:end]), tokenizer.decode(ids), f"turn {turn}")
        _raise_ids(tokenizer, after_ids[:end], ids, f"turn {turn}")
    return start, end


def _check_prefix(prefix: str, text: str, where: str) -> None:
    if text.startswith(prefix):
        return
    at = next(i for i, (a, b) in enumerate(zip_longest(prefix, text)) if a != b)
    raise TemplateError(
        f"the chat template renders a conversation differently once it goes on: {prefix[max(0, at - 20) : at + 40]!r} "
        f"became {text[max(0, at - 20) : at + 40]!r}",
        where=where,
        hint="use a chat template that keeps earlier turns as they were, or rows with one assistant turn",
    )


def _ids_hold(tokenizer: Tokenizer, prefix: str, ids: list[int], where: str) -> int:
    """Length of the prefix in tokens, once its ids are found at the head of the whole's."""
    prefix_ids = _ids(tokenizer, prefix)
    if ids[: len(prefix_ids)] != prefix_ids:
        _raise_ids(tokenizer, prefix_ids, ids, where)
    return len(prefix_ids)


def _raise_ids(tokenizer: Tokenizer, prefix: list[int], ids: list[int], where: str) -> None:
    at = next(i for i, (a, b) in enumerate(zip_longest(prefix, ids)) if a != b)
    raise TemplateError(
        f"the same text becomes other tokens once the conversation goes on: at token {at} "
        f"{tokenizer.decode(prefix[at : at + 3])!r} became {tokenizer.decode(ids[at : at + 3])!r}",
        where=where,
        hint="white space at the beginning of an answer does this: strip it",
    )


def _written(tokenizer: Tokenizer) -> str:
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return str(template or "")


def _template(tokenizer: Tokenizer) -> str:
    template = _written(tokenizer)
    if not template:
        raise TemplateError(
            "the model has no chat template", hint="use an instruct model, or put chat_template.jinja into its folder"
        )
    if "strftime_now" not in template:
        return template
    # transformers hands a template no functions but its own, so that the fixed date is written in Jinja.
    fixed = "".join(f" | replace({code!r}, {value!r})" for code, value in TODAY.items())
    return f"{{%- macro strftime_now(format) %}}{{{{- format{fixed} }}}}{{%- endmacro %}}{template}"


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _special(tokenizer: Tokenizer) -> set[int]:
    added = {token for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
    return added | set(tokenizer.all_special_ids)

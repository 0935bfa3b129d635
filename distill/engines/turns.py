"""request -> its prompt in tokens, and the tokens that came of it -> completion: for each turn that can be asked for.

assistant    the conversation and the words that open the answer        text, and the thinking apart from it
user         the conversation and the words that open the user's turn   text
text         the only message as it stands, without any template        how it goes on, white space and all
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.engines.lane import Row
from distill.engines.template import opening, prompt_ids, text_ids
from distill.errors import EngineError
from distill.protocols import Completion, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

THINK = "<think>"


def row_of(tokenizer: Tokenizer, request: Request) -> Row:
    """The request with its prompt, and with what ends its turn beside the model's own stop tokens.

    Raises:
        TemplateError: the template cannot render it.
        EngineError: there is nothing to go on from.
    """
    if request.turn == "user":
        opened = opening(tokenizer, request.messages)
        special = {tokenizer.decode([token]) for token in opened.stop_ids}
        row = Row(request, opened.ids, opened.stop_ids, tuple(end for end in opened.stops if end not in special))
    elif request.turn == "text":
        if len(request.messages) != 1:
            raise EngineError(f"plain text is one message, not {len(request.messages)}")
        row = Row(request, text_ids(tokenizer, request.messages[0].content))
    else:
        row = Row(request, prompt_ids(tokenizer, request.messages))
    if not row.prompt:
        raise EngineError("the prompt has no tokens, and the model none to begin with")
    return row


def ends(tokenizer: Tokenizer, row: Row) -> bool:
    """Whether the newest token ends the turn."""
    if row.answer[-1] in row.stops:
        return True
    # A token is a character at least, or a part of one.
    longest = max(map(len, row.endings), default=0)
    return bool(longest) and _cut(tokenizer.decode(row.answer[-4 * longest :]), row.endings)[1]


def completion(tokenizer: Tokenizer, row: Row) -> Completion:
    """What became of a row that is done."""
    text, reasoning, whole = _words(tokenizer, row)
    return Completion(
        request=row.request.key,
        text=text,
        finish="stop" if row.ended and whole else "length",
        prompt_tokens=len(row.prompt),
        new_tokens=len(row.answer),
        reasoning=reasoning,
    )


def split_reasoning(text: str) -> tuple[str, str | None, bool]:
    """The answer, the thinking before it, and whether the thinking came to an end; both without white space around."""
    head, opened, rest = text.partition(THINK)
    if not opened or head.strip():
        return text.strip(), None, True
    reasoning, closed, answer = rest.partition("</think>")
    return answer.strip(), reasoning.strip() or None, bool(closed)


def _words(tokenizer: Tokenizer, row: Row) -> tuple[str, str | None, bool]:
    """Text, thinking, and whether the thinking came to an end: only an answer has any."""
    if row.request.turn == "text":
        # Decoded with what is before it: some tokenizers drop the space that a text begins with.
        before = tokenizer.decode(row.prompt, skip_special_tokens=True)
        return tokenizer.decode([*row.prompt, *row.answer], skip_special_tokens=True)[len(before) :], None, True
    text = tokenizer.decode(row.answer, skip_special_tokens=True)
    if row.request.turn == "user":
        return _cut(text, row.endings)[0].strip(), None, True
    # Some templates open the thinking in the prompt already: where no token is made of it, in one a letter at most.
    opened = tokenizer.decode(row.prompt[-2 * len(THINK) :]).rstrip().endswith(THINK)
    return split_reasoning(THINK + text if opened else text)


def _cut(text: str, endings: tuple[str, ...]) -> tuple[str, bool]:
    """The text up to the first ending, and whether there is one."""
    places = [text.index(ending) for ending in endings if ending in text]
    return (text[: min(places)], True) if places else (text, False)

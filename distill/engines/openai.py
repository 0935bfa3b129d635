"""The protocol: a request as an OpenAI-compatible server is asked it, and what it says as a completion.

    Request -> path and JSON        JSON -> Completion

Servers differ in what they take and in the words they use. A field that one does not know, and that can be spared, is
left out from then on, said once. Nothing here knows a network, an address or a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from distill.engines.turns import THINK, split_reasoning
from distill.protocols import Completion, Request
from distill.rows import Message

if TYPE_CHECKING:
    from distill.engines.template import Opening

CHAT, PLAIN = "chat/completions", "completions"
STOPPED = ("stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn")
CUT = ("length", "max_tokens", "max_output_tokens", "model_length")
BROKEN_OFF = ("abort", "cancelled", "error", "insufficient_system_resource", "load")
"""The server's trouble, not the answer's: another attempt may do better."""
SPARED = {
    "response_format": "holds answers to no form (response_format)",
    "max_tokens": "wants max_completion_tokens for max_tokens",
    "seed": "takes no seed",
    "top_k": "takes no top_k: its own default holds",
    "min_p": "takes no min_p: its own default holds",
    "stop_token_ids": "takes no stop_token_ids",
}
"""What a question can do without, and what is said of a server where it must."""
MANY = 10_000_000
"""More tokens than any answer has: a count above it is none."""


class Unreadable(Exception):
    """What came is no answer. Another attempt may do better."""


@dataclass(frozen=True)
class Question:
    """What is sent for a request."""

    path: str
    body: bytes
    spared: frozenset[str]
    """Fields in it that can be left out."""
    without: frozenset[str]
    """Fields that were left out at this attempt only."""


class Dialect:
    """How the servers of one model are asked. It remembers what they do not take.

    Args:
        model: name that the servers know the model by.
        opening: a conversation up to the place where the user writes.
        unversioned: answers carry their day.
        say: for the person watching.
    """

    def __init__(
        self,
        model: str,
        opening: Callable[[tuple[Message, ...]], Opening],
        unversioned: bool,
        say: Callable[[str], None],
    ) -> None:
        self._model, self._opening, self._unversioned, self._say = model, opening, unversioned, say
        self._refused: set[str] = set()
        self._uncounted = False

    def question(self, request: Request, without: frozenset[str] = frozenset()) -> Question:
        """What to send.

        Raises:
            DistillError: the user's turn is asked for and cannot be opened.
        """
        path, fields = self._words(request)
        fields |= _sampling(request)
        spared = {name for name in SPARED if name in fields} - ({"top_k"} if request.sampling.top_k else set())
        gone = spared & (self._refused | without)
        if "max_tokens" in gone:
            fields["max_completion_tokens"] = fields["max_tokens"]
        body = {name: value for name, value in fields.items() if name not in gone}
        return Question(path, json.dumps(body).encode(), frozenset(spared - gone), without)

    def spare(self, question: Question, text: str) -> str | None:
        """The field that a refused question should be asked without, if there is one: the refusal names it."""
        for name in question.spared:
            if re.search(rf"\b{'max_completion_tokens' if name == 'max_tokens' else name}\b", text):
                return name
        return "response_format" if "response_format" in question.spared else None

    def read(self, request: Request, question: Question, body: bytes) -> Completion:
        """What the server said.

        Raises:
            Unreadable: it is no answer.
        """
        try:
            stream = body.lstrip().startswith((b"data:", b":", b"event:"))
            reply = _Reply.model_validate(_joined(body)) if stream else _Reply.model_validate_json(body)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            what = f"a count that cannot be, {place}" if place.startswith("usage") else "not a chat completion"
            raise Unreadable(f"{what}: {message(body)}") from None
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise Unreadable(f"not a chat completion: {message(body)}") from None
        for name in question.without - self._refused:
            self._refused.add(name)
            self._say(f"  the server of {self._model} {SPARED[name]}; it is asked without from now on")
        return self._completion(request, reply)

    def _words(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where the request goes, and all of it but how the answer is drawn."""
        if request.turn == "text":
            return PLAIN, {"model": self._model, "prompt": request.messages[0].content}
        if request.turn == "user":
            opened = self._opening(request.messages)
            # A special token is not in the text that most servers look for stop strings in.
            ids = {"stop_token_ids": sorted(opened.stop_ids)} if opened.stop_ids else {}
            return PLAIN, {"model": self._model, "prompt": opened.text, "stop": list(opened.stops), **ids}
        messages = [{"role": each.role, "content": each.content} for each in request.messages]
        fields: dict[str, Any] = {"model": self._model, "messages": messages}
        if request.schema is not None:
            form = {"name": "answer", "schema": json.loads(request.schema), "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        return CHAT, fields

    def _completion(self, request: Request, reply: _Reply) -> Completion:
        choice, spent = reply.choices[0], reply.usage or _Usage()
        said = choice.message or _Said(content=choice.text)
        content, thinking = said.plain
        # Who does not say how it ended may have been killed over it: half an answer is none.
        ended = (choice.finish_reason or "error").lower()
        if ended in BROKEN_OFF:
            raise Unreadable(f"the server broke the answer off (finish_reason {choice.finish_reason!r})")
        prompt = spent.prompt_tokens or self._estimate("".join(each.content for each in request.messages))
        new = spent.completion_tokens or self._estimate(content + thinking)
        if ended not in (*STOPPED, *CUT):
            why = f"the server ended it with finish_reason {choice.finish_reason!r}"
            return Completion(request.key, "", "error", prompt, new, error=why, cost=spent.cost)
        text, thought, whole = _apart(request, content)
        thinking = thinking.strip() or thought or ""
        return Completion(
            request=request.key,
            text=text,
            # Who thought and then said nothing was cut off while thinking, whatever the server calls it.
            finish="stop" if ended in STOPPED and whole and (text or not thinking) else "length",
            prompt_tokens=prompt,
            new_tokens=new,
            reasoning=thinking or None,
            date=datetime.now(UTC).date().isoformat() if self._unversioned else None,
            cost=spent.cost,
        )

    def _estimate(self, text: str) -> int:
        """Tokens of a text that the server did not count: four bytes each, rounded up."""
        if text and not self._uncounted:
            self._uncounted = True
            self._say(f"  the server of {self._model} counts no tokens: four bytes of text are taken for one")
        return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def message(body: bytes) -> str:
    """What a server says of an error, whatever the form: the servers' own ones, or the start of the text."""
    text = body.decode("utf-8", errors="replace")
    try:
        said = json.loads(text)
        said = said.get("error", said)
        found = said.get("message") or said.get("detail") if isinstance(said, dict) else said
        return str(found or text)[:300]
    except (ValueError, AttributeError, RecursionError):
        return " ".join(text.split())[:300] or "an empty answer"


class _Piece(BaseModel):
    text: str = ""
    thinking: str | list[_Piece] = ""


class _Said(BaseModel):
    content: str | list[_Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    """What OpenAI's models say instead of an answer in the form that was asked for."""

    @property
    def plain(self) -> tuple[str, str]:
        """Text and thinking."""
        thinking = self.reasoning_content or self.reasoning or ""
        if not isinstance(self.content, list):
            return self.content or self.refusal or "", thinking
        thoughts = (piece.thinking for piece in self.content)
        deep = "".join(each if isinstance(each, str) else "".join(piece.text for piece in each) for each in thoughts)
        return "".join(piece.text for piece in self.content), thinking or deep


class _Choice(BaseModel):
    message: _Said | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(None, ge=0, le=MANY)
    completion_tokens: int | None = Field(None, ge=0, le=MANY)
    cost: float | None = Field(None, ge=0, allow_inf_nan=False)


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def _sampling(request: Request) -> dict[str, Any]:
    sampling = request.sampling
    fields: dict[str, Any] = {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
    if sampling.temperature > 0:
        # Said although they change nothing: llama.cpp's defaults are 40 and 0.05, others' are in the model's folder.
        fields |= {"top_p": sampling.top_p, "top_k": sampling.top_k, "min_p": 0.0}
        # Of seed, sample and question alike; 31 bits, which every server takes.
        fields["seed"] = int(request.key[:8], 16) & 0x7FFFFFFF
    return fields


def _apart(request: Request, content: str) -> tuple[str, str | None, bool]:
    """The text, the thinking in it, and whether the thinking came to an end. Only an answer has thinking."""
    if request.turn == "text":
        return content, None, True
    if request.turn == "user":
        return content.strip(), None, True
    # Some templates open the thinking in the prompt already.
    return split_reasoning(THINK + content if "</think>" in content and THINK not in content else content)


def _joined(body: bytes) -> dict[str, Any]:
    """The reply that a stream of chunks makes, from a server that streams unasked.

    Raises:
        ValueError: it broke off.
    """
    said, usage, ended = {"content": "", "reasoning_content": ""}, None, None
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        chunk = json.loads(data)
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {"content": choice.get("text")}
            for name in said:
                said[name] += delta.get(name) or ""
            ended = choice.get("finish_reason") or ended
    if ended is None:
        raise ValueError("the stream broke off")
    # A character in two halves, one in each of two chunks, is one again; half of one is an error.
    said = {name: text.encode("utf-16", "surrogatepass").decode("utf-16") for name, text in said.items()}
    return {"choices": [{"message": said, "finish_reason": ended}], "usage": usage}

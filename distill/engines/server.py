"""Any chat endpoint that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, a provider.

    POST <address>/chat/completions, so many at once -> text, thinking, how it ended, token counts

Answers come in the order in which the server is done. It starts no server, and knows nothing of the weights behind one:
what the recipe says of them (`org/name@commit`) is believed, and an answer of unstated weights carries its date.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from queue import SimpleQueue
from typing import Any, Literal
from urllib import error as failures
from urllib import request as http

from pydantic import BaseModel, Field, ValidationError

from distill.context import UNVERSIONED, Context, Resolved
from distill.endpoint import Endpoint
from distill.engines.batches import share
from distill.engines.turns import THINK, split_reasoning
from distill.errors import EngineError
from distill.protocols import Completion, Request
from distill.rows import Frozen, digest

VERSION = 1
"""Raised when the same server would be asked the same request otherwise."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt, give or take a half; doubled for each one after."""
LONGEST_WAIT = 60.0
PASSING = (408, 409, 425, 429)
"""Client errors that may be gone at the next attempt, as every server error may."""
HOPELESS = {
    401: "the key is not accepted: runtime.server.key_env names the environment variable that holds it",
    404: "most addresses end in /v1, and teacher.engine.model is the name that the server itself gives its model",
}
"""Client errors that every other request would meet as well, and what to do."""


class Server(Frozen):
    kind: Literal["server"] = "server"
    model: str | None = Field(None, min_length=1)
    """Name that the server knows the model by; the teacher's reference without its revision when not given."""


class ServerEngine:
    """One model of one endpoint; `runtime.server` says where, and how many requests at once."""

    template = "server"
    """The server renders with its own."""

    def __init__(self, spec: Server, source: Resolved, context: Context) -> None:
        if context.runtime.server is None:
            raise EngineError(
                "the engine `server` has no address",
                where="runtime.server",
                hint="write runtime: {server: {address: http://localhost:8000/v1}}",
            )
        self._endpoint: Endpoint = context.runtime.server
        self._model = spec.model or source.ref
        self._unversioned, self._ranks = source.revision == UNVERSIONED, context.ranks
        self._opener = http.build_opener(_Stay)
        self._headers: dict[str, str] = {}
        self._key = ""
        self.name = digest(["server", VERSION, self._model, source.origin])[:24]

    def generate(self, requests: Sequence[Request], known: Container[str] = ()) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share that is not known yet, as each arrives.

        Raises:
            EngineError: no server at the address, or one that would refuse every request. What came before is kept.
        """
        distinct = list({request.key: request for request in requests}.values())
        asked = [each for each in share(distinct, self._ranks.rank, self._ranks.world) if each.key not in known]
        if not asked:
            return
        self._identify()
        waiting: SimpleQueue[Request | None] = SimpleQueue()
        done: SimpleQueue[Completion | Exception] = SimpleQueue()
        stop = threading.Event()
        workers = min(max(1, self._endpoint.concurrency // self._ranks.world), len(asked))
        for item in [*asked, *[None] * workers]:
            waiting.put(item)
        for _ in range(workers):
            # Daemons: a run that is interrupted does not wait for the answers in flight.
            threading.Thread(target=self._work, args=(waiting, done, stop), daemon=True).start()
        try:
            for _ in asked:
                result = done.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            stop.set()

    def close(self) -> None:
        """Nothing is held between questions."""

    def _identify(self) -> None:
        """Read the key from the environment. It must never be shown, so what makes a bad header is refused here."""
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        name = self._endpoint.key_env
        if name is None:
            return
        self._key = os.environ.get(name, "").strip()
        if not self._key or not self._key.isascii() or not self._key.isprintable():
            raise EngineError(
                f"the environment variable {name} {'holds no usable key' if self._key else 'is not set'}",
                where="runtime.server.key_env",
                hint=f"export {name}=… before the run, or leave key_env out where the server asks for no key",
            )
        self._headers["Authorization"] = f"Bearer {self._key}"

    def _work(
        self,
        waiting: SimpleQueue[Request | None],
        done: SimpleQueue[Completion | Exception],
        stop: threading.Event,
    ) -> None:
        while (request := waiting.get()) is not None and not stop.is_set():
            try:
                done.put(self._answer(request, stop))
            except Exception as error:  # raised again by the one who asked
                done.put(error)

    def _answer(self, request: Request, stop: threading.Event) -> Completion:
        """The completion of one request, or its failure with the last reason after so many attempts."""
        body = json.dumps(_question(request, self._model)).encode()
        attempts = self._endpoint.attempts
        for attempt in range(attempts):
            try:
                return self._read(request, self._send(body))
            except _Again as again:
                reason, last = again, attempt + 1 == attempts
            if last or stop.wait(_pause(attempt, reason.after)):
                break
        if reason.unreachable:
            raise EngineError(
                f"no server answers at {self._endpoint.address}: {reason}",
                where="runtime.server.address",
                hint="start the server, or correct the address; answers that came are kept, the same command goes on",
            )
        return Completion(request.key, "", "error", 0, 0, error=f"{reason} (after {attempt + 1} attempts)")

    def _send(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of what the server says.

        Raises:
            _Again: nothing whole came back, or a status that may pass.
        """
        question = http.Request(f"{self._endpoint.address}/chat/completions", body, self._headers, method="POST")
        try:
            with self._opener.open(question, timeout=self._endpoint.timeout) as response:
                return response.status, response.read()
        except failures.HTTPError as refusal:
            status, headers, text = refusal.code, refusal.headers, _rest(refusal)
        except failures.URLError as nobody:
            raise _Again(self._hide(str(nobody.reason)), unreachable=True) from None
        except (OSError, HTTPException) as broken:
            what = "no answer in time" if isinstance(broken, TimeoutError) else "the connection broke"
            raise _Again(f"{what}: {self._hide(str(broken) or type(broken).__name__)}") from None
        if status >= 500 or status in PASSING:
            raise _Again(f"HTTP {status}: {self._hide(_message(text))}", after=_retry_after(headers))
        return status, text

    def _read(self, request: Request, response: tuple[int, bytes]) -> Completion:
        """What the server said as a completion.

        Raises:
            _Again: it is none.
            EngineError: every other request would be refused too.
        """
        status, body = response
        if status in HOPELESS:
            message = f"HTTP {status} from {self._endpoint.address}: {self._hide(_message(body))}"
            raise EngineError(message, where="runtime.server", hint=HOPELESS[status])
        if status != 200:
            return Completion(request.key, "", "error", 0, 0, error=f"HTTP {status}: {self._hide(_message(body))}")
        try:
            reply = _Reply.model_validate_json(body)
        except ValidationError:
            raise _Again(f"not a chat completion: {self._hide(_message(body))}") from None
        today = datetime.now(UTC).date().isoformat() if self._unversioned else None
        return _completion(request.key, reply, today)

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


class _Stay(http.HTTPRedirectHandler):
    """A redirect is an error: followed, it would take the key to another host."""

    def redirect_request(self, *args: Any, **more: Any) -> None:  # noqa: ARG002
        return None


class _Again(Exception):
    """An attempt that failed and may be made again.

    Args:
        after: seconds that the server wants to be left alone.
        unreachable: there was no connection.
    """

    def __init__(self, reason: str, after: float | None = None, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.after, self.unreachable = after, unreachable


class _Said(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    """A server that counts nothing is taken to have spent nothing."""


def _question(request: Request, model: str) -> dict[str, Any]:
    sampling = request.sampling
    question = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        # Of seed, sample and question alike; 31 bits, which every server takes.
        "seed": int(request.key[:8], 16) & 0x7FFFFFFF,
    }
    return {**question, "top_k": sampling.top_k} if sampling.top_k else question


def _completion(key: str, reply: _Reply, date: str | None) -> Completion:
    said, ended = reply.choices[0].message, reply.choices[0].finish_reason
    spent = reply.usage or _Usage()
    if ended not in ("stop", "length"):
        why = f"the server ended it with finish_reason {ended!r}"
        return Completion(key, "", "error", spent.prompt_tokens, spent.completion_tokens, error=why)
    content = said.content or ""
    # Some templates open the thinking in the prompt already.
    if "</think>" in content and THINK not in content:
        content = THINK + content
    text, thought, closed = split_reasoning(content)
    return Completion(
        request=key,
        text=text,
        finish="stop" if ended == "stop" and closed else "length",
        prompt_tokens=spent.prompt_tokens,
        new_tokens=spent.completion_tokens,
        reasoning=(said.reasoning_content or said.reasoning or "").strip() or thought,
        date=date,
    )


def _message(body: bytes) -> str:
    """What a server says of an error, whatever the form: the servers' own ones, or the start of the text."""
    text = body.decode("utf-8", errors="replace")
    try:
        said = json.loads(text)
        said = said.get("error", said)
        found = said.get("message") or said.get("detail") if isinstance(said, dict) else said
        return str(found or text)[:300]
    except (ValueError, AttributeError, RecursionError):
        return " ".join(text.split())[:300] or "an empty answer"


def _rest(refusal: failures.HTTPError) -> bytes:
    try:
        return refusal.read()
    except (OSError, HTTPException):
        return b""


def _retry_after(headers: Message) -> float | None:
    """Seconds to wait, which the server gives as such or as a date."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _pause(attempt: int, after: float | None) -> float:
    """Seconds before the next attempt, spread so that those refused together do not come back together."""
    if after is not None:
        return min(after, 10 * LONGEST_WAIT) * random.uniform(1.0, 1.1)
    return min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT) * random.uniform(0.5, 1.5)

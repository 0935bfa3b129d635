"""Any endpoint that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, `transformers serve`, a provider.

    requests -> POST <address>/chat/completions or /completions -> text, thinking, how it ended, tokens, cost

Answers come in the order in which the servers are done; one event loop in a thread of its own asks them, as many at once
as they can use. Servers that are to be started are a fleet's business; of weights behind an address nothing is known: what
the recipe says of them (`org/name@commit`) is believed, and an answer of unstated weights carries its date.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Container, Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from pydantic import Field

from distill.context import UNVERSIONED, Context, Resolved
from distill.endpoint import Endpoint
from distill.engines import adapters
from distill.engines import client as clients
from distill.engines.batches import share
from distill.engines.client import Client
from distill.engines.openai import Dialect
from distill.engines.opened import Openings
from distill.engines.serving.fleet import Fleet
from distill.errors import EngineError
from distill.protocols import Completion, Request
from distill.rows import Frozen, digest
from distill.start import Word

VERSION = 2
"""Raised when the same server would be asked the same request otherwise."""
LET_GO = 5.0
"""Seconds that a connection has to be closed, once its answer has had the client's grace."""


class Server(Frozen):
    kind: Literal["server"] = "server"
    model: str | None = Field(None, min_length=1)
    """Name that the server knows the model by; the teacher's reference without its revision when not given."""
    tokenizer: str | None = None
    """Model folder, hub id or GGUF file with the served model's chat template, for methods that let the teacher write the
    user's turn."""
    args: tuple[Word, ...] = ()
    """Options of the server that change its answers, such as `--quantization fp8`: given to servers that are started, and
    stated of those that are there."""


class ServerEngine:
    """One model behind one address or several; `runtime` says where.

    Args:
        adapter: folder of an adapter that the model wears.
    """

    template = "server"
    """The server renders with its own."""

    def __init__(
        self, spec: Server, source: Resolved, context: Context, endpoint: Endpoint | None, adapter: Path | None = None
    ) -> None:
        if endpoint is None:
            raise EngineError(
                "the engine `server` has no address",
                where="runtime.server",
                hint="write runtime: {server: {address: http://localhost:8000/v1}}",
            )
        self._spec, self._source, self._context, self._endpoint = spec, source, context, endpoint
        self._model = spec.model or source.ref
        self._client: Client | None = None
        self._late: list[Completion] = []
        start = endpoint.start
        self._fleet = Fleet(start, spec.args, source, self._model, context, adapter) if start else None
        template = [context.resolved[spec.tokenizer].identity] if spec.tokenizer else []
        stated = [adapters.fingerprint(adapter) if adapter else None, list(map(str, spec.args))]
        stated = stated if any(stated) else []
        self.name = digest(["server", VERSION, self._model, source.origin, *template, *stated])[:24]

    def generate(self, requests: Sequence[Request], known: Container[str] = ()) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share that is not known yet, as each arrives.

        Closed early, it asks nothing more; what had come, or still comes within a grace, is then `late`.

        Raises:
            EngineError: no server at the address, or one that would refuse every request. What came before is kept.
        """
        self._late = []
        ranks = self._context.ranks
        distinct = list({request.key: request for request in requests}.values())
        asked = [each for each in share(distinct, ranks.rank, ranks.world) if each.key not in known]
        if self._client is None:
            self._client = self._connect()  # all ranks together, whoever has something to ask
        client = self._client
        if not asked:
            return
        yield from in_background(lambda put: client.run(asked, put), self._late.append)

    def late(self) -> list[Completion]:
        """What came after `generate` was closed early."""
        return self._late

    def close(self) -> None:
        """Stop the servers that were started. Of others nothing is held between questions but what was learnt of them."""
        if self._fleet is not None:
            self._fleet.close()
            self._client = None

    def _connect(self) -> Client:
        endpoint, say = self._endpoint, self._context.say
        if self._fleet is None:
            addresses, model, key, hope = endpoint.urls, self._model, self._key(), None
        else:
            started = self._fleet.open()
            addresses, model, key, hope = started.addresses, started.model, started.key, self._fleet.check
        spoken = self._context.resolved[self._spec.tokenizer] if self._spec.tokenizer else self._source
        openings = Openings(spoken, self._context.cache)
        dialect = Dialect(model, openings, self._source.revision == UNVERSIONED, say)
        return Client(
            addresses,
            dialect,
            max(1, endpoint.concurrency // self._context.ranks.world),
            endpoint.timeout,
            endpoint.attempts,
            key,
            say,
            hope,
        )

    def _key(self) -> str:
        """The key from the environment. It must never be shown, so what makes a bad header is refused here."""
        name = self._endpoint.key_env
        if name is None:
            return ""
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise EngineError(
                f"the environment variable {name} {'holds no usable key' if key else 'is not set'}",
                where="runtime.server.key_env",
                hint=f"export {name}=… before the run, or leave key_env out where the server asks for no key",
            )
        return key


Put = Callable[[Completion], None]


def in_background(work: Callable[[Put], Coroutine[Any, Any, None]], late: Put) -> Iterator[Completion]:
    """What a coroutine puts, while it runs on an event loop of its own.

    Closed early, it cancels the coroutine and waits for its end. The thread is a daemon: who is interrupted once more
    does not wait.

    Args:
        work: makes the coroutine from the function that it is to call with each item.
        late: takes what was put and had not been read when this was closed.
    """
    done: SimpleQueue[Completion | Exception | None] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(done.put))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except Exception as error:  # raised again by the one who asked
            done.put(error)
        finally:
            loop.close()
            done.put(None)

    thread = threading.Thread(target=run, name="distill-server", daemon=True)
    thread.start()
    try:
        while (item := done.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        with suppress(RuntimeError):  # it is done, and its loop closed
            loop.call_soon_threadsafe(task.cancel)
        try:
            thread.join(clients.GRACE + LET_GO)
        finally:
            while not done.empty():
                if isinstance(item := done.get(), Completion):
                    late(item)

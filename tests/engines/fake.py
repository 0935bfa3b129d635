"""A server as servers are: it answers `yes: <question>`, or does whatever a test makes it do."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from distill.context import Context, Ranks, Runtime
from distill.endpoint import Endpoint
from distill.engines.server import Server, ServerEngine
from distill.protocols import Request, Sampling
from distill.rows import Message
from distill.sources.references import served

Answer = tuple[int, dict[str, str], bytes]
DROP = 0, {}, b""
"""The connection is closed without a word."""


def said(
    text: str | None, finish: str | None = "stop", usage: dict[str, Any] | None = None, **message: object
) -> Answer:
    body = {
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3} if usage is None else usage,
        "id": "x",
    }
    return 200, {}, json.dumps(body).encode()


def refusal(status: int, message: str = "no", **headers: str) -> Answer:
    return status, headers, json.dumps({"error": {"message": message, "code": status}}).encode()


class Fake(ThreadingHTTPServer):
    """What `say` does instead for a question and the number of the attempt goes before."""

    daemon_threads = True
    request_queue_size = 512
    say: Callable[[str, int], Answer | None] = staticmethod(lambda _question, _attempt: None)  # type: ignore[assignment]

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.asked: Counter[str] = Counter()
        self.now = self.most = 0
        self.gone = 0
        """Clients that had gone away before they were answered."""
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        fake = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        with fake.lock:
            fake.paths.append(self.path)
            fake.bodies.append(body)
            fake.keys.add(self.headers.get("Authorization"))
            fake.asked[question] += 1
            attempt = fake.asked[question]
            fake.now += 1
            fake.most = max(fake.most, fake.now)
        try:
            wrong = self.path not in ("/v1/chat/completions", "/v1/completions")
            answer = refusal(404) if wrong else fake.say(question, attempt) or said(f"yes: {question}")
        finally:
            with fake.lock:
                fake.now -= 1
        if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
            fake.gone += 1
        status, headers, text = answer
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            if name != "promised":
                self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", headers.get("promised", str(len(text))))
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = self.close_connection or "promised" in headers

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running(port: int = 0) -> Iterator[Fake]:
    fake = Fake(port)
    threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield fake
    finally:
        fake.shutdown()
        fake.server_close()


def place(folder: Path, *addresses: str, ranks: Ranks | None = None, **more: object) -> Context:
    where = {"address": addresses[0]} if len(addresses) == 1 else {"addresses": addresses}
    endpoint = Endpoint.model_validate({**where, "timeout": 5, "attempts": 3, **more})
    return Context(folder, {"org/t": served("org/t")}, Runtime(server=endpoint), ranks or Ranks())


def engine(*addresses: str, spec: Server | None = None, ref: str = "org/t", **more: Any) -> ServerEngine:
    context = place(Path(), *addresses, **more)
    return ServerEngine(spec or Server(), served(ref), context, context.runtime.server)


def ask(question: str, sample: int = 0, **sampling: Any) -> Request:
    return Request((Message(role="user", content=question),), Sampling(**sampling), 17, sample)

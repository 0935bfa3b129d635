"""A split on disk and an engine that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from distill.context import Context, Resolved
from distill.engines import teacher
from distill.generate.author import Author
from distill.generate.method import Work
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message, Provenance, Row, root_of, write_rows

Say = Callable[[Request], str | Completion | None]
MODEL = "org/teacher"


@dataclass
class Canned:
    """Answers by a function, last request first, and remembers what it was asked. None leaves a request unanswered."""

    say: Say
    name: str = "canned"
    template: str = "template-hash"
    asked: list[Request] = field(default_factory=list)
    closed: bool = False
    flying: list[Completion] = field(default_factory=list)
    """What still comes once the asking has ended early."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        self.asked += requests
        for request in reversed(requests):
            answer = self.say(request)
            if isinstance(answer, str):
                answer = Completion(request.key, answer, "stop", prompt_tokens=5, new_tokens=len(answer.split()))
            if answer is not None:
                yield answer

    def late(self) -> list[Completion]:
        return self.flying

    def close(self) -> None:
        self.closed = True


@dataclass
class Alone:
    """One engine, and perhaps a scorer, under every name."""

    one: Canned
    scores: Any = None

    def engine(self, name: str) -> Canned:  # noqa: ARG002
        return self.one

    def scorer(self, name: str) -> Any:  # noqa: ARG002
        return self.scores


def echo(request: Request) -> str:
    return f"answer {request.sample} to {request.messages[-1].content}"


def real(question: str, answer: str | None = "so it is", *, terms: tuple[str, ...] = ("cc-by-4.0",)) -> Row:
    messages = [Message(role="user", content=question)]
    if answer is not None:
        messages.append(Message(role="assistant", content=answer))
    provenance = Provenance(source="real", origin="org/data@1", method="real", root=root_of(messages), terms=terms)
    return Row(kind="prompt" if answer is None else "chat", messages=tuple(messages), provenance=provenance)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """40 training prompts and 6 held-out ones under the name `chat`."""
    folder = tmp_path / "split"
    for side, first, count in (("train", 0, 40), ("heldout", 100, 6)):
        (folder / side).mkdir(parents=True)
        write_rows(folder / side / "chat.jsonl", [real(f"What about subject {first + i}?") for i in range(count)])
    return folder


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, {MODEL: Resolved(MODEL, tmp_path / "model", "abc", ("apache-2.0",))})


@pytest.fixture
def author() -> Author:
    return Author(f"{MODEL}@abc", ("apache-2.0",), 0, Sampling(), 7, "template-hash", {"engine": "canned"})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Say], Canned]:
    """Put a canned engine where the stage opens its teacher."""

    def install(say: Say) -> Canned:
        engine = Canned(say)
        monkeypatch.setattr(teacher, "open_engine", lambda *_, **__: engine)
        return engine

    return install


def work(author: Author, rows: Sequence[Row], stream: str = "answer", data: str = "chat") -> Work:
    """What a method is given: one teacher, one data set."""
    return Work(stream, author, {"teacher": author}, {data: rows})

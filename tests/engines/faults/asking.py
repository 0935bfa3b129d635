"""The product's own way to many answers: an engine behind the store. Run as a program, for a test that kills it.

python -m tests.engines.faults.asking ADDRESS CACHE COUNT TIMEOUT      a line of JSON a completion
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from distill.context import Context, Runtime
from distill.endpoint import Endpoint
from distill.engines.open import open_engine
from distill.engines.server import Server
from distill.engines.store import AnswerStore, StoredEngine
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message
from distill.sources.references import served

MOST = 32
"""Requests at once."""


def questions(count: int) -> list[Request]:
    """Short ones, told apart by a number; the greedy ones among them too."""
    return [
        Request(
            (Message(role="user", content=f"Say {number}."),),
            Sampling(temperature=0.7 * (number % 5 > 0), max_new_tokens=4 + number % 5),
        )
        for number in range(count)
    ]


def opened(address: str, cache: Path, **more: object) -> StoredEngine:
    endpoint = {"address": address, "concurrency": MOST, "timeout": 5, "attempts": 3, **more}
    context = Context(cache, {"org/smol": served("org/smol")}, Runtime(server=Endpoint.model_validate(endpoint)))
    return open_engine(Server(model="smol"), "org/smol", context)


def ask(address: str, cache: Path, count: int, **more: object) -> Iterator[Completion]:
    engine = opened(address, cache, **more)
    try:
        yield from engine.generate(questions(count))
    finally:
        engine.close()


def stored(cache: Path) -> dict[str, Completion]:
    """What the store holds.

    Raises:
        AssertionError: an answer is in it twice, or a failure.
    """
    lines = [line for path in cache.glob("answers/*/*.jsonl") for line in path.read_bytes().splitlines(True)]
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert len({each["request"] for each in whole}) == len(whole), "an answer was stored twice"
    assert not [each for each in whole if each["finish"] == "error" or each["error"]], "a failure was stored"
    (folder,) = cache.glob("answers/*")
    store = AnswerStore(folder)
    store.refresh()
    found = {key: store.get(key) for key in store.known()}
    assert len(found) == len(whole) and not store.damaged
    return {key: each for key, each in found.items() if each is not None}


if __name__ == "__main__":
    for completion in ask(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), timeout=float(sys.argv[4])):
        print(json.dumps(asdict(completion)), flush=True)

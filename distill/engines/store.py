"""Answers kept as they arrive, so that each is paid for once, whatever becomes of the run.

    cache/answers/<engine name>/     a journal of completions (see journal.py)

Failures are not kept: they are asked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from distill.context import Ranks
from distill.engines.batches import share
from distill.engines.journal import Journal
from distill.protocols import Completion, Request


class AnswerStore(Journal):
    """The answers of one engine by the keys of their requests; weights are the numbers of new tokens."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, key="request", noun="an answer")

    def weigh(self, record: dict[str, Any]) -> int:
        completion = Completion(**record)
        if completion.finish not in ("stop", "length") or not isinstance(completion.text, str):
            raise ValueError(completion.finish)
        if not isinstance(completion.new_tokens, int):
            raise ValueError(completion.new_tokens)
        return completion.new_tokens

    def get(self, key: str) -> Completion | None:
        """The answer to a request's key, or None where it was never answered."""
        record = self.read(key)
        return None if record is None else Completion(**record)

    def put(self, completion: Completion) -> None:
        """Append one answer (see `Journal.write`)."""
        self.write(asdict(completion))


class Resumable(Protocol):
    """An engine that plans its work from all requests and then leaves out what is known."""

    name: str
    template: str

    def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share; of the known ones it may leave out any.

        Args:
            known: keys with the new tokens of their answers: the plan may follow from how long each took.
        """
        ...

    def late(self) -> list[Completion]:
        """What came after `generate` was closed early; nothing where nothing is in flight outside this process."""
        ...

    def close(self) -> None: ...


class StoredEngine:
    """An engine behind the store: what was answered before is not asked again."""

    def __init__(self, inner: Resumable, store: AnswerStore, ranks: Ranks) -> None:
        self.name, self.template = inner.name, inner.template
        self._inner, self._store, self._ranks = inner, store, ranks
        self._late: list[Completion] = []

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share, stored ones first. All ranks ask the same.

        Left early, by whatever way, it keeps what the engine still has: it is paid for.
        """
        self._late = []
        keys = list(dict.fromkeys(request.key for request in requests))
        known = self._known_to_all(keys)
        for key in share([key for key in keys if key in known], self._ranks.rank, self._ranks.world):
            stored = self._store.get(key)
            assert stored is not None
            yield replace(stored, stored=True)
        if len(known) == len(keys):
            return
        answers = self._inner.generate(requests, known)
        try:
            for completion in answers:
                if completion.request not in known:
                    yield self._kept(completion)
        finally:
            if isinstance(answers, Generator):
                answers.close()
            self._late = [self._kept(completion) for completion in self._inner.late()]

    def late(self) -> list[Completion]:
        """What came after `generate` was closed early, in the store like all others."""
        return self._late

    def close(self) -> None:
        """Free the model and the file; the engine can still be used, and loads again."""
        self._inner.close()
        self._store.close()

    def _kept(self, completion: Completion) -> Completion:
        if completion.finish != "error":
            self._store.put(completion)
        return completion

    def _known_to_all(self, keys: Sequence[str]) -> dict[str, int]:
        """What every rank found in the store: on a slow shared disk one may see less, and all must share out alike."""
        self._store.refresh()
        mine = self._store.known()
        found = Counter(self._ranks.gather([key for key in keys if key in mine]))
        return {key: mine[key] for key, count in found.items() if count == self._ranks.world}

"""An answer is paid for once, whatever kills the run."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

import pytest

from distill.context import Ranks
from distill.engines.store import AnswerStore, StoredEngine
from distill.errors import ArtifactError
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message


def answer(key: str, text: str = "yes") -> Completion:
    return Completion(key, text, "stop", 3, 1)


def ask(question: str) -> Request:
    return Request((Message(role="user", content=question),), Sampling())


class Planned:
    """Answers in batches of two, and remembers what it computed."""

    name, template = "planned", "t"

    def __init__(self, fail: Set[str] = frozenset()) -> None:
        self.computed: list[str] = []
        self.flying: list[str] = []
        self.fail = fail

    def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
        keys = list(dict.fromkeys(request.key for request in requests))
        for start in range(0, len(keys), 2):
            batch = keys[start : start + 2]
            if any(key not in known for key in batch):
                self.computed += batch
                for key in batch:
                    bad = key in self.fail
                    yield Completion(key, "", "error", 0, 0, error="no") if bad else answer(key)

    def late(self) -> list[Completion]:
        return [answer(key, "late") for key in self.flying]

    def close(self) -> None: ...


def test_what_was_put_is_found_by_another_reader(tmp_path: Path) -> None:
    store, other = AnswerStore(tmp_path / "a"), AnswerStore(tmp_path / "a")
    store.put(answer("k", "line\nbreak � ü"))
    assert other.get("k") is None
    other.refresh()
    assert other.get("k") == answer("k", "line\nbreak � ü")
    store.put(answer("l"))
    other.refresh()
    assert other.known() == {key: answer(key).new_tokens for key in "kl"}


def test_a_torn_last_line_is_no_answer_until_it_is_whole(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    store.put(answer("k"))
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        reader = AnswerStore(tmp_path)
        reader.refresh()
        assert not reader.known() and not reader.damaged
    path.write_bytes(whole)
    reader.refresh()
    assert set(reader.known()) == {"k"}


COUNTLESS = b'{"request": "x", "text": "", "finish": "stop", "prompt_tokens": 1, "new_tokens": "many"}\n'


@pytest.mark.parametrize("line", [b"{half\n", b"[]\n", b'{"request": "x"}\n', b"\xff\n", COUNTLESS])
def test_damage_in_the_middle_is_left_out_and_counted(tmp_path: Path, line: bytes) -> None:
    store = AnswerStore(tmp_path)
    store.put(answer("k"))
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(line + path.read_bytes())
    reader = AnswerStore(tmp_path)
    reader.refresh()
    assert reader.damaged == 1
    assert reader.get("k") == answer("k")


def test_a_full_disk_says_what_is_safe_and_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = AnswerStore(tmp_path)
    store.put(answer("a"))
    store.put(answer("b"))
    write, calls = os.write, [0]

    def half_then_full(file: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:10])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(ArtifactError, match=r"No space left.*2 of this process are safe"):
        store.put(answer("c"))
    monkeypatch.setattr(os, "write", write)
    store.put(answer("d"))
    reader = AnswerStore(tmp_path)
    reader.refresh()
    assert set(reader.known()) == {"a", "b", "d"} and not reader.damaged


def test_nothing_is_asked_twice_and_a_repeated_request_once(tmp_path: Path) -> None:
    requests = [ask("a"), ask("b"), ask("a"), ask("c")]
    first = Planned()
    done = list(StoredEngine(first, AnswerStore(tmp_path), Ranks()).generate(requests))
    assert [c.request for c in done] == [ask("a").key, ask("b").key, ask("c").key] == first.computed
    second = Planned()
    again = list(StoredEngine(second, AnswerStore(tmp_path), Ranks()).generate(requests))
    assert again == [replace(completion, stored=True) for completion in done] and second.computed == []


def test_a_half_known_batch_is_computed_whole_and_only_the_new_is_kept(tmp_path: Path) -> None:
    a, b, c, d = (ask(question).key for question in "abcd")
    store = AnswerStore(tmp_path)
    store.put(answer(a, "as it was"))
    inner = Planned()
    done = list(StoredEngine(inner, store, Ranks()).generate([ask(question) for question in "abcd"]))
    assert inner.computed == [a, b, c, d]
    assert [(c.request, c.text) for c in done] == [(a, "as it was"), (b, "yes"), (c, "yes"), (d, "yes")]
    assert sum(len(path.read_text().splitlines()) for path in tmp_path.glob("*.jsonl")) == 4


def test_what_comes_after_the_reader_has_gone_is_kept(tmp_path: Path) -> None:
    inner = Planned()
    engine = StoredEngine(inner, AnswerStore(tmp_path), Ranks())
    answers = engine.generate([ask(question) for question in "abcd"])
    assert next(answers).request == ask("a").key and engine.late() == []
    inner.flying = [ask("c").key]
    answers.close()  # type: ignore[attr-defined]
    assert [one.request for one in engine.late()] == inner.flying
    store = AnswerStore(tmp_path)
    store.refresh()
    assert set(store.known()) == {ask("a").key, ask("c").key}
    inner.flying = []
    assert next(engine.generate([ask("c")])).text == "late" and engine.late() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_comes_after_an_interruption_is_kept(tmp_path: Path, error: type[BaseException]) -> None:
    class Interrupted(Planned):
        def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
            yield next(super().generate(requests, known))
            self.flying = [requests[1].key]
            raise error

    with pytest.raises(error):
        list(StoredEngine(Interrupted(), AnswerStore(tmp_path), Ranks()).generate([ask("a"), ask("b")]))
    store = AnswerStore(tmp_path)
    store.refresh()
    assert set(store.known()) == {ask("a").key, ask("b").key}


def test_failures_are_yielded_and_asked_again(tmp_path: Path) -> None:
    requests = [ask("a"), ask("b")]
    failing = Planned(fail={ask("b").key})
    done = list(StoredEngine(failing, AnswerStore(tmp_path), Ranks()).generate(requests))
    assert [c.finish for c in done] == ["stop", "error"]
    healed = Planned()
    done = list(StoredEngine(healed, AnswerStore(tmp_path), Ranks()).generate(requests))
    assert [c.finish for c in done] == ["stop", "stop"] and ask("b").key in healed.computed


def test_what_one_rank_does_not_see_is_known_to_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ask("a").key, ask("b").key
    store = AnswerStore(tmp_path)
    store.put(answer(a))
    store.put(answer(b))
    # The other rank sees only `b`.
    monkeypatch.setattr(Ranks, "gather", lambda _, items: [*items, b])
    inner = Planned()
    done = list(StoredEngine(inner, store, Ranks(0, 2)).generate([ask("a"), ask("b")]))
    assert sorted(c.request for c in done) == sorted([a, b])
    assert inner.computed == [a, b]

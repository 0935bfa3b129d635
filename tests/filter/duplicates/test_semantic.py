"""Rows that say the same in other words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from distill.context import Context
from distill.engines.embedding import PACKAGE
from distill.filter.bindings import Bindings
from distill.filter.duplicates import semantic
from distill.filter.duplicates.keeper import Near
from distill.filter.duplicates.semantic import Meanings, SemanticDuplicate, Vectors
from distill.filter.opener import Opener
from distill.sources.references import resolve
from tests.filter.make import chat, text


class Planted:
    """Vectors in a few directions: a text is its direction and how far it leans to the next one."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), 32), dtype=np.float32)
        for vector, words in zip(vectors, texts, strict=True):
            name, _, lean = words.partition(" ")
            axis = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 31
            vector[axis], vector[axis + 1] = 1, float(lean or 0)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def close(self) -> None:
        pass


def near(texts: Sequence[tuple[str, ...]], threshold: float = 0.9, batch: int = 1024) -> list[Near | None]:
    meanings = Meanings(Planted(), threshold)
    return [
        found
        for start in range(0, len(texts), batch)
        for found in meanings.follow(meanings.read(texts[start : start + batch]))
    ]


def test_the_nearest_keeper_is_named() -> None:
    found = near([("a",), ("b",), ("a 0.1",), ("b 0.6",), ("b 0.5",), ("b",)])
    assert [one and one.keeper for one in found] == [None, None, 0, None, 2, 1]
    assert [round(one.alike, 3) for one in found if one] == [0.995, 0.997, 1.0]


def test_no_chains() -> None:
    # 0 is like 0.3 and 0.3 like 0.6, but 0 is not like 0.6.
    assert [one and one.keeper for one in near([("a",), ("a 0.3",), ("a 0.6",)])] == [None, 0, None]


def test_question_and_answer_must_both_be_alike() -> None:
    rows = [("a", "b"), ("a", "c"), ("d", "b"), ("a 0.1", "b 0.2"), ("a 0.2", "b 0.1")]
    found = near(rows)
    assert [one and one.keeper for one in found] == [None, None, None, 0, 0]
    assert found[3] and found[3].alike == pytest.approx(1 / np.sqrt(1.04), abs=1e-3)


def test_batches_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [(f"{name} {lean / 10}",) for lean in range(9) for name in "abcdefgh"]
    expected = near(texts)
    assert None in expected and any(expected)
    monkeypatch.setattr(semantic, "BLOCK", 3)
    for batch in (1, 5, 1024):
        assert near(texts, batch=batch) == expected


def test_vectors_are_taken_and_joined() -> None:
    meanings = Meanings(Planted(), 0.9)
    vectors = meanings.read([("a", "b"), ("c", "d")])
    joined = meanings.join([vectors, vectors.take([1, 0])])
    assert len(joined) == 4 and np.array_equal(joined.take([3, 2]).of, vectors.of)
    assert isinstance(joined, Vectors)


@pytest.fixture(scope="module")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> Bindings:
    cache = tmp_path_factory.mktemp("cache")
    resolved = resolve(PACKAGE, "model", Path(), Path("runs"), cache)
    return Bindings(open=Opener(Context(cache, {PACKAGE: resolved})))


def test_real_sentences(bindings: Bindings) -> None:
    rows = [
        chat("How do I boil an egg?", "Boil it for eight minutes."),
        chat("How can I boil an egg?", "Boil it for 8 minutes."),
        chat("How do I boil an egg?", "I do not cook."),
        chat("How do I fry an egg?", "Heat some butter in a pan and break the egg into it."),
        text("How do I boil an egg?"),
        chat("", ""),
        chat("", ""),
    ]
    spec = SemanticDuplicate(threshold=0.85)
    assert (spec.scope, spec.models, spec.COSTLY) == ("set", (PACKAGE,), True)
    found = spec.bind(bindings).judge(rows)
    assert [verdict.reason for verdict in found] == ["", "alike_pair", "", "", "", "", "alike_pair"]
    assert found[1].evidence == rows[0].id
    best = SemanticDuplicate(threshold=0.85, keeper="best", by="judge")
    scored = [row.scored(judge=place) for place, row in enumerate(rows)]
    pool = best.bind(bindings)
    pool.survey(scored)
    assert [verdict.keep for verdict in pool.judge(scored)][:2] == [False, True]
    assert SemanticDuplicate(threshold=0.85, on="question").bind(bindings).judge(rows)[2].reason == "alike_question"

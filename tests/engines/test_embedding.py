"""Sentence embeddings: a real small model, vectors that are kept, ranks that share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill.context import Context, Ranks, Resolved
from distill.engines.embedding import PACKAGE, SentenceEmbedder, open_embedder
from distill.errors import SourceError
from distill.sources.references import resolve
from tests.beside import together

TEXTS = ["How do I boil an egg?", "What is the way to cook an egg?", "The stock market fell.", "", "\ud800 lone"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(cache: Path) -> Resolved:
    return resolve(PACKAGE, "model", Path(), Path("runs"), cache)


@pytest.fixture(scope="module")
def embedder(source: Resolved, cache: Path) -> SentenceEmbedder:
    return open_embedder(source, Context(cache, {}))


def test_what_means_the_same_is_near_and_all_have_length_one(embedder: SentenceEmbedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (5, 384) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.8 > 0.3 > alike[0, 2]


def test_a_vector_that_was_kept_is_the_same_and_needs_no_model(
    embedder: SentenceEmbedder, source: Resolved, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedder.embed(TEXTS)
    again = open_embedder(source, Context(cache, {}))
    monkeypatch.setattr(again, "_load", lambda: pytest.fail("the model was loaded"))
    assert np.array_equal(again.embed(TEXTS[::-1])[::-1], first)
    assert again.embed([]).shape[0] == 0


def test_ranks_share_the_texts_and_get_all_vectors(
    embedder: SentenceEmbedder, source: Resolved, tmp_path: Path
) -> None:
    embedder.embed(TEXTS)  # loads the model, which the ranks use in turn

    def embed(ranks: Ranks) -> np.ndarray:
        mine = open_embedder(source, Context(tmp_path, {}, ranks=ranks))
        mine._model = embedder._model
        return mine.embed(TEXTS)

    one, two = together(2, embed)
    assert np.array_equal(one, two) and np.allclose(one, embedder.embed(TEXTS), atol=2e-3)
    kept = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(kept) == len(TEXTS)


def test_a_folder_that_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    broken = open_embedder(Resolved("./x", tmp_path, "sha256:0"), Context(tmp_path / "cache", {}))
    with pytest.raises(SourceError, match="no sentence-transformers model"):
        broken.embed(["a"])

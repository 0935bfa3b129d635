"""texts -> 64-bit hashes of their terms, a batch of texts in one sweep of arrays; no term is ever made a string.

The terms are those of `distill.words.terms`, found by the class of each character: a run of one class is a term. The
hash of a term is a polynomial in its characters, so that one running sum over a batch gives the hash of every term in
it. Equal on every machine. It knows nothing of shingles or rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from distill.filter.duplicates.shingles import mix
from distill.words import LETTER, OPERATOR, UNSPACED, fold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Hashes = npt.NDArray[np.uint64]
    Counts = npt.NDArray[np.int64]

CHUNK = 50_000
"""Characters worked on at once: what fits the cache of a core."""
_SPACE, _OTHER, _LETTER, _ALONE, _OPERATOR, _MINUS = range(6)
"""Classes of characters; a term is a run of one that is above `_OTHER`, or each character that stands alone."""
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)


class _Tables(NamedTuple):
    classes: npt.NDArray[np.uint8]
    """Class of every code point."""
    values: Hashes
    """A random number for every code point."""
    follows: npt.NDArray[np.bool_]
    """Whether a hyphen before it is a minus."""


def hash_terms(texts: Sequence[str]) -> tuple[Hashes, Counts]:
    """Hashes of the terms of all texts one after the other, and (texts,) how many belong to each.

    A text without any term, such as one of nothing but emoji, gives what stands between its spaces.
    """
    import numpy as np

    found = [_sweep(chunk) for chunk in _chunks([fold(text) for text in texts])]
    if not found:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    hashes, counts = zip(*found, strict=True)
    return np.concatenate(hashes), np.concatenate(counts)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for place, text in enumerate(texts):
        if size and size + len(text) > CHUNK:
            yield texts[start:place]
            start, size = place, 0
        size += len(text) + 1
    if size:
        yield texts[start:]


def _sweep(texts: Sequence[str]) -> tuple[Hashes, Counts]:
    import numpy as np

    tables = _tables()
    # A line break after each text: no term reaches from one into the next. Half a character is a character here.
    codes = np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    classes = tables.classes.take(codes)
    hyphens = np.flatnonzero(classes == _MINUS)
    classes[hyphens[~tables.follows.take(codes[hyphens + 1])]] = _OTHER
    bounds = np.fromiter(accumulate((len(text) + 1 for text in texts), initial=0), np.int64, len(texts) + 1)
    starts, ends = _runs(classes)
    counts = np.diff(np.searchsorted(starts, bounds))
    for place in np.flatnonzero((counts == 0) & (np.diff(bounds) > 1)):
        own = classes[bounds[place] : bounds[place + 1]]
        own[own == _OTHER] = _LETTER
    if not counts.all():
        starts, ends = _runs(classes)
        counts = np.diff(np.searchsorted(starts, bounds))
    powers, inverses = _powers(max(2 * CHUNK, 1 << len(codes).bit_length()))
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(tables.values.take(codes) * powers[: len(codes)], out=sums[1:])
    # Divided by the power of its first place, a term has the same sum wherever it stands.
    return mix((sums[ends] - sums[starts]) * inverses[starts]), counts


def _runs(classes: npt.NDArray[np.uint8]) -> tuple[Counts, Counts]:
    """Where the terms start and end."""
    import numpy as np

    edge = classes[1:] != classes[:-1]
    edge |= classes[1:] == _ALONE
    edges = np.concatenate(([0], np.flatnonzero(edge) + 1, [len(classes)]))
    terms = classes[edges[:-1]] > _OTHER
    return edges[:-1][terms], edges[1:][terms]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    import numpy as np

    every = "".join(map(chr, range(0x110000)))
    classes = np.full(len(every), _OTHER, dtype=np.uint8)
    kinds = ((r"\s+", _SPACE), (f"{LETTER}+", _LETTER), (f"[{UNSPACED}]+", _ALONE), (f"{OPERATOR}+", _OPERATOR))
    for pattern, kind in kinds:
        for match in re.finditer(pattern, every):
            classes[match.start() : match.end()] = kind
    classes[ord("-")] = _MINUS
    follows = np.zeros(len(every), dtype=bool)
    for match in re.finditer(r"[\d(]+", every):
        follows[match.start() : match.end()] = True
    return _Tables(classes, mix(np.arange(1, len(every) + 1, dtype=np.uint64) * np.uint64(_BASE)), follows)


@lru_cache(maxsize=2)
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse modulo 2^64."""
    import numpy as np

    def powers(base: int) -> Hashes:
        factors = np.full(size, base, dtype=np.uint64)
        factors[0] = 1
        return np.cumprod(factors, dtype=np.uint64)

    return powers(_BASE), powers(_INVERSE)

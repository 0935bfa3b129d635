"""texts of several corpora, people's among them -> how varied each is beside people's, with intervals.

Everything is measured on random halves of the matched texts, so that all are of one size. How much the halves differ says how
sure a number is: for halves the variance of the delete-d jackknife is the plain variance of their values (Shao and Wu 1989,
doi:10.1214/aos/1176347263). The halves of two corpora are drawn apart from each other: their texts have nothing in common but
their lengths. The other half of people's texts is what coverage is measured against, for people's own texts too.

No number here certifies health by itself: data that are kept and added to keep their types while their entropy falls.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distill.collapse import grams as ngrams
from distill.collapse import spread
from distill.collapse.grams import Grams, grams
from distill.collapse.sample import FEWEST, Words, matched

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HALVES = 24
RARE = 5
"""Times that a word of the tail is there, at most, in a half of people's texts."""
NORMAL = 1.96


@dataclass(frozen=True)
class Kind:
    """What is measured."""

    better: Literal["higher", "lower"]
    """Which way is more varied."""
    meaning: str


KINDS: dict[str, Kind] = {
    "coverage": Kind("higher", "share of the words in half of people's texts that are there"),
    "tail_coverage": Kind("higher", f"the same of words that half of people's texts have at most {RARE} times"),
    "entropy_1": Kind("higher", "bits of a word"),
    "entropy_2": Kind("higher", "bits of a pair of neighbouring words"),
    "distinct_1": Kind("higher", "different words as a share of all"),
    "distinct_2": Kind("higher", "different pairs of words as a share of all"),
    "distinct_3": Kind("higher", "different triples of words as a share of all"),
    "hapax": Kind("higher", "words that are there once, as a share of the different ones"),
    "compression": Kind("lower", "size over size after gzip"),
    "self_repetition": Kind("lower", "mean log of 1 + a text's runs of four words that another text has too"),
    "vendi": Kind("higher", "texts without anything in common that would be as varied"),
    "dispersion": Kind("higher", "mean distance of two texts, 1 less their cosine"),
}


@dataclass(frozen=True)
class Number:
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    people: str
    """Name of the corpus that people wrote."""
    texts: int
    """Of each corpus in a half."""
    words: int
    """Of each corpus in a half, on average."""
    numbers: Mapping[str, Mapping[str, Number]]
    """Measure -> corpus -> value."""
    beside: Mapping[str, Mapping[str, Number]]
    """Measure -> corpus -> its value less people's."""
    lengths: Mapping[str, float]
    """Corpus -> the largest difference between its lengths' distribution and people's (Kolmogorov and Smirnov)."""


def panel(
    corpora: Mapping[str, Sequence[Words]],
    people: str,
    seed: int = 0,
    lengths: Mapping[str, Sequence[int]] | None = None,
    halves: int = HALVES,
) -> Panel | None:
    """None where a corpus has too few texts to say anything.

    Args:
        corpora: name to texts in words; any number of texts.
        people: name of those that people wrote.
        lengths: words of each text, uncut; of the texts given when not given.
    """
    import numpy as np

    if min(map(len, corpora.values())) < FEWEST:
        return None
    cut = matched(corpora)
    vocabulary: dict[str, int] = {}
    tokens = {name: grams(texts, vocabulary) for name, texts in cut.items()}
    vectors = _vectors(tokens, len(vocabulary))
    count = len(cut[people])
    values: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in cut} for kind in KINDS}
    sizes = []
    for number in range(halves):
        rng = np.random.default_rng([seed, number])
        orders = {name: rng.permutation(count) for name in cut}
        sizes.append(sum(len(cut[people][place]) for place in orders[people][: count // 2]))
        reference = tokens[people].of(1, orders[people][count // 2 :])
        for name, order in orders.items():
            half = order[: count // 2]
            for kind, value in _measured(cut[name], tokens[name], vectors[name], half, reference).items():
                values[kind][name].append(value)
    spans = lengths or {name: [len(text) for text in texts] for name, texts in corpora.items()}
    return Panel(
        people=people,
        texts=count // 2,
        words=round(float(np.mean(sizes))),
        numbers={kind: {name: _number(found) for name, found in of.items()} for kind, of in values.items()},
        beside={
            kind: {name: _number(list(np.subtract(found, of[people]))) for name, found in of.items() if name != people}
            for kind, of in values.items()
        },
        lengths={name: apart(spans[name], spans[people]) for name in corpora if name != people},
    )


def _measured(
    texts: Sequence[Words],
    tokens: Grams,
    vectors: npt.NDArray[np.float64],
    half: npt.NDArray[np.int64],
    reference: npt.NDArray[np.uint64],
) -> dict[str, float]:
    ones, twos, threes = (tokens.of(size, half) for size in (1, 2, 3))
    own = vectors[half]
    raw = "\n".join(" ".join(texts[place]) for place in half).encode()
    return {
        "coverage": ngrams.covered(reference, ones),
        "tail_coverage": ngrams.covered(reference, ones, RARE),
        "entropy_1": ngrams.entropy(ones),
        "entropy_2": ngrams.entropy(twos),
        "distinct_1": ngrams.distinct(ones),
        "distinct_2": ngrams.distinct(twos),
        "distinct_3": ngrams.distinct(threes),
        "hapax": ngrams.hapax(ones),
        "compression": len(raw) / len(gzip.compress(raw, mtime=0)),
        "self_repetition": ngrams.self_repetition([tokens.by_size[4][place] for place in half]),
        "vendi": spread.vendi(own),
        "dispersion": spread.dispersion(own),
    }


def _vectors(tokens: Mapping[str, Grams], types: int) -> dict[str, npt.NDArray[np.float64]]:
    """Every text's words, weighed by how many texts of all corpora have them."""
    import numpy as np

    holders = np.zeros(types + 1)
    for own in tokens.values():
        for text in own.by_size[1]:
            holders[np.unique(text).astype(np.int64)] += 1
    total = sum(len(own.by_size[1]) for own in tokens.values())
    rarity = np.log((1 + total) / (1 + holders))
    return {
        name: spread.word_vectors([text.astype(np.int64) for text in own.by_size[1]], rarity)
        for name, own in tokens.items()
    }


def _number(found: Sequence[float]) -> Number:
    import numpy as np

    value, error = float(np.mean(found)), float(np.std(found))
    return Number(value, value - NORMAL * error, value + NORMAL * error)


def apart(a: Sequence[int], b: Sequence[int]) -> float:
    """Largest difference of two empirical distributions."""
    import numpy as np

    points = np.union1d(a, b)

    def shares(of: Sequence[int]) -> npt.NDArray[np.float64]:
        return np.searchsorted(np.sort(of), points, "right") / len(of)

    return float(np.abs(shares(a) - shares(b)).max())

"""texts of several corpora, people's among them -> how varied each is beside people's, with intervals.

Everything is measured on random halves of the matched texts, so that all are of one size. How much the halves differ says how
sure a number is: for halves the variance of the delete-d jackknife is the plain variance of their values (Shao and Wu 1989,
doi:10.1214/aos/1176347263). The halves of two corpora are drawn apart from each other where their texts have nothing in common but
their lengths. The other half of people's texts is what coverage is measured against, for people's own texts too; a text that a
corpus and people share, as a mix has people's rows, is in its half if it is in people's half, and never in both that corpus and
what it is measured against.

The vectors of texts are their words (see `spread`); with an embedder there are two measures more, of what texts mean.

No number here certifies health by itself: data that are kept and added to keep their types while their entropy falls.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from distill.collapse import grams as ngrams
from distill.collapse import spread
from distill.collapse.bleu import Ranked, ranked, self_bleu
from distill.collapse.grams import Grams, Run, grams, once
from distill.collapse.sample import FEWEST, Words, matched, ordered, shared
from distill.protocols import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Chosen = npt.NDArray[np.bool_]

HALVES = 24
RARE = 5
"""Times that a word of the tail is there, at most, in a half of people's texts."""
SQUEEZED = 2_000_000
"""Bytes of a half that are compressed: gzip looks back 32 thousand, so that more of them say nothing new."""
EMBEDDED = 1000
"""Most texts of a corpus that are embedded."""
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
    "self_bleu": Kind("lower", "mean BLEU of a text against all others, 0 to 100"),
    "vendi": Kind("higher", "texts without a word in common that would be as varied"),
    "dispersion": Kind("higher", "mean distance of two texts by their words, 1 less their cosine"),
    "vendi_embedded": Kind("higher", "texts without anything in common that would be as varied, by their embeddings"),
    "dispersion_embedded": Kind("higher", "mean distance of two texts by their embeddings, 1 less their cosine"),
}
"""The last two are there where an embedder is."""


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


@dataclass(frozen=True)
class _Corpus:
    texts: Sequence[Words]
    grams: Grams
    fours: Run
    """Runs of four words, those of a text once."""
    ranks: Mapping[int, Ranked]
    vectors: spread.Vectors
    places: npt.NDArray[np.int64]
    """Of the texts that are embedded."""
    embedded: spread.Vectors | None


def panel(
    corpora: Mapping[str, Sequence[Words]],
    people: str,
    seed: int = 0,
    lengths: Mapping[str, Sequence[int]] | None = None,
    halves: int = HALVES,
    embedder: Embedder | None = None,
) -> Panel | None:
    """None where a corpus has too few texts to say anything.

    Args:
        corpora: name to texts in words; any number of texts.
        people: name of those that people wrote.
        lengths: words of each text, uncut; of the texts given when not given.
        embedder: asked once for up to EMBEDDED texts of each corpus.
    """
    import numpy as np

    if min(map(len, corpora.values())) < FEWEST:
        return None
    read = _read(matched(corpora), seed, embedder)
    whole = ordered(corpora)
    common = {name: np.array(shared(whole[name], whole[people])) for name in read if name != people}
    count = len(whole[people])
    values: dict[str, dict[str, list[float]]] = {}
    sizes = []
    for number in range(halves):
        rng = np.random.default_rng([seed, number])
        orders = {name: rng.permutation(count) for name in read}
        chosen = {people: _half(orders[people])}
        chosen |= {name: _half(_apart(orders[name], places, chosen[people])) for name, places in common.items()}
        runs = {name: corpus.grams[1] for name, corpus in read.items()}
        reference = runs[people].counts(~chosen[people])
        sizes.append(int(runs[people].counts(chosen[people]).sum()))
        for name, corpus in read.items():
            for kind, value in _measured(corpus, chosen[name], reference).items():
                values.setdefault(kind, {}).setdefault(name, []).append(value)
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


def _half(order: npt.NDArray[np.int64]) -> Chosen:
    """The first half of an order of texts, as a mask over them."""
    import numpy as np

    chosen = np.zeros(len(order), bool)
    chosen[order[: len(order) // 2]] = True
    return chosen


def _apart(order: npt.NDArray[np.int64], places: npt.NDArray[np.int64], people: Chosen) -> npt.NDArray[np.int64]:
    """The order with the texts first that people's half has too, and last those that people's other half has: its first half has
    as many of people's texts as a half drawn by lot, and none that it is measured against.

    Args:
        places: of each text among people's; -1 where it is not there.
    """
    import numpy as np

    rank = np.where(places < 0, 1, np.where(people[places], 0, 2))
    return order[np.argsort(rank[order], kind="stable")]


def _read(texts: Mapping[str, Sequence[Words]], seed: int, embedder: Embedder | None) -> dict[str, _Corpus]:
    """What is the same for all halves."""
    import numpy as np

    vocabulary: dict[str, int] = {}
    found = {name: grams(own, vocabulary) for name, own in texts.items()}
    words = {name: once(own[1]) for name, own in found.items()}
    holders = np.zeros(len(vocabulary))
    for run in words.values():
        holders[: run.types] += np.bincount(run.numbers, minlength=run.types)
    rarity = np.log((1 + sum(map(len, texts.values()))) / (1 + holders))
    count = min(map(len, texts.values()))
    places = np.sort(np.random.default_rng([seed, count]).permutation(count)[:EMBEDDED])
    return {
        name: _Corpus(
            texts=own,
            grams=found[name],
            fours=once(found[name][4]),
            ranks={size: ranked(run) for size, run in found[name].items()},
            vectors=spread.word_vectors(words[name], len(own), rarity),
            places=places,
            embedded=embedder.embed([" ".join(own[place]) for place in places]).astype(float) if embedder else None,
        )
        for name, own in texts.items()
    }


def _measured(corpus: _Corpus, chosen: Chosen, people: ngrams.Counts) -> dict[str, float]:
    """Of one half.

    Args:
        people: words of the other half of people's texts.
    """
    ones, twos, threes = (corpus.grams[size].counts(chosen) for size in (1, 2, 3))
    own = corpus.vectors[chosen]
    found = {
        "coverage": ngrams.covered(people, ones),
        "tail_coverage": ngrams.covered(people, ones, RARE),
        "entropy_1": ngrams.entropy(ones),
        "entropy_2": ngrams.entropy(twos),
        "distinct_1": ngrams.distinct(ones),
        "distinct_2": ngrams.distinct(twos),
        "distinct_3": ngrams.distinct(threes),
        "hapax": ngrams.hapax(ones),
        "compression": _compression(corpus.texts, chosen),
        "self_repetition": ngrams.self_repetition(corpus.fours, chosen),
        "self_bleu": self_bleu(corpus.ranks, [len(text) for text in corpus.texts], chosen),
        "vendi": spread.vendi(own),
        "dispersion": spread.dispersion(own),
    }
    if corpus.embedded is not None:
        meant = corpus.embedded[chosen[corpus.places]]
        found |= {"vendi_embedded": spread.vendi(meant), "dispersion_embedded": spread.dispersion(meant)}
    return found


def _compression(texts: Sequence[Words], chosen: Chosen) -> float:
    """Texts stand by their length, so that neighbours have nothing else in common."""
    raw = "\n".join(" ".join(texts[place]) for place in chosen.nonzero()[0].tolist()).encode()[:SQUEEZED]
    return len(raw) / len(gzip.compress(raw, 6, mtime=0))


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

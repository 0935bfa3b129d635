"""real sets of texts, and ways to make them poorer on purpose: what the gate is asked about.

Every degradation takes texts in words and a strength, 0 to 1, and gives as many texts of people or of an n-gram model of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import yaml

from distill.words import words

Texts = list[list[str]]
FEWEST = 40
"""Texts of a subject."""
CHUNK = 50
"""Words of a passage of WikiText."""


@dataclass(frozen=True)
class Corpus:
    """Texts, and the subject of each."""

    texts: Texts
    topics: list[str]


def corpus(found: Iterable[tuple[str, str]]) -> Corpus:
    """Args:
    found: subject and text; those without a word are left out, and copies."""
    read = {tuple(text): topic for topic, said in found if (text := words(said))}
    return Corpus([list(text) for text in read], list(read.values()))


def chatterbot() -> Corpus:
    """Answers of the English conversations; a subject is a file."""
    spec = find_spec("chatterbot_corpus")
    assert spec is not None and spec.origin is not None, "pip install chatterbot-corpus"
    files = sorted((Path(spec.origin).parent / "data" / "english").glob("*.yml"))
    read = [(path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]) for path in files]
    return corpus((name, str(turn)) for name, conversations in read for turns in conversations for turn in turns[1:])


def wikitext(path: Path) -> Corpus:
    """Passages of CHUNK words; a subject is an article."""
    found, article = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        article += re.fullmatch(r" = [^=].* = ", line) is not None
        text = words(line.replace("<unk>", " "))
        found += [(str(article), " ".join(text[at : at + CHUNK])) for at in range(0, len(text) - CHUNK // 2, CHUNK)]
    return corpus(found)


def lines(path: Path, column: str, topic: str | None = None) -> Corpus:
    """A column of JSON lines; a subject is what stands before the first hyphen of another."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return corpus((row[topic].partition("-")[0] if topic else "", row[column]) for row in rows)


def sharpened(_: Corpus, half: Texts, strength: float, rng: np.random.Generator) -> Texts:
    """Texts of a bigram model of the set, drawn at temperature 1 - strength."""
    follow: dict[str, Counter[str]] = defaultdict(Counter)
    for text in half:
        for last, word in zip(["", *text], text, strict=False):
            follow[last][word] += 1
    tables = {}
    for last, counts in follow.items():
        weights = np.array(list(counts.values()), float) ** (1 / (1 - strength))
        tables[last] = list(counts), np.cumsum(weights / weights.sum())
    made = []
    for text in half:
        last, said = "", list[str]()
        for _word in text:
            after, shares = tables[last if last in tables else ""]
            last = after[min(len(after) - 1, int(np.searchsorted(shares, rng.random())))]
            said.append(last)
        made.append(said)
    return made


def tail_cut(_: Corpus, half: Texts, strength: float, rng: np.random.Generator) -> Texts:
    """The rarest words, of so large a share of all that is said, give way to commoner ones, each as often as it is."""
    counts = Counter(word for text in half for word in text)
    ordered = [word for word, _ in counts.most_common()]
    reached = np.cumsum([counts[word] for word in ordered])
    kept = ordered[: int(np.searchsorted(reached, (1 - strength) * reached[-1])) + 1]
    shares = np.array([counts[word] for word in kept], float)
    among = set(kept)
    return [
        [word if word in among else str(rng.choice(kept, p=shares / shares.sum())) for word in text] for text in half
    ]


def duplicates(_: Corpus, half: Texts, strength: float, rng: np.random.Generator) -> Texts:
    """So large a share are copies of others."""
    own = half[: max(1, round((1 - strength) * len(half)))]
    return own + [own[place] for place in rng.integers(len(own), size=len(half) - len(own))]


def one_topic(real: Corpus, half: Texts, strength: float, rng: np.random.Generator) -> Texts:
    """So large a share are of one subject that has enough of them; as many texts as that gives."""
    names = [name for name, count in Counter(real.topics).items() if name and FEWEST <= count <= len(real.texts) // 4]
    topic = names[int(rng.integers(len(names)))]
    own = [text for name, text in zip(real.topics, real.texts, strict=True) if name == topic]
    own = [own[place] for place in rng.permutation(len(own))[: round(strength * len(half))]]
    return own + half[: round(len(own) / strength) - len(own)]


Degrade = Callable[[Corpus, Texts, float, np.random.Generator], Texts]
DEGRADED: dict[str, tuple[Degrade, tuple[float, ...]]] = {
    "sharpened": (sharpened, (0.3, 0.5, 0.7)),
    "tail cut": (tail_cut, (0.1, 0.2, 0.3)),
    "duplicates": (duplicates, (0.3, 0.5, 0.7)),
    "one topic": (one_topic, (0.5, 0.75, 1.0)),
}
"""By name, and how strong."""

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
KNOWN = {
    "wikitext": "wikitext2_valid.txt",
    "tldr": "tldr_commands.jsonl:instruction:command",
    "tldr-lines": "tldr_commands.jsonl:output:command",
    "gsm8k": "gsm8k_train.jsonl:answer",
    "gsm8k-questions": "gsm8k_train.jsonl:question",
}
"""Where a set is: a file of JSON lines with the column of its texts and that of their subjects, a file of WikiText, a folder of
fortunes, or `chatterbot:LANGUAGE`."""
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


def opened(name: str, data: Path) -> Corpus:
    """Args:
    name: one of KNOWN, a language of chatterbot-corpus, or NAME=WHERE with a place as KNOWN has them.
    data: what paths are relative to."""
    place, *columns = (name.partition("=")[2] or KNOWN.get(name, f"chatterbot:{name}")).split(":")
    if place == "chatterbot":
        return chatterbot(*columns)
    if (data / place).is_dir():
        return fortunes(data / place)
    return lines(data / place, *columns) if columns else wikitext(data / place)


def chatterbot(language: str) -> Corpus:
    """Answers of the conversations; a subject is a file."""
    spec = find_spec("chatterbot_corpus")
    assert spec is not None and spec.origin is not None, "pip install chatterbot-corpus"
    files = sorted((Path(spec.origin).parent / "data" / language).glob("*.yml"))
    assert files, f"no {language} in chatterbot-corpus"
    read = [(path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]) for path in files]
    # Some languages have a conversation of one turn that is no list.
    return corpus(
        (name, str(turn))
        for name, conversations in read
        for turns in conversations
        for turn in (turns[1:] if isinstance(turns, list) else ())
    )


def fortunes(folder: Path) -> Corpus:
    """What lies between lines that begin with %, of all files under a folder that are text; a subject is a file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    files = [path for path in files if path.suffix not in {".dat", ".u8"}]
    read = [(path.name, path.read_text(encoding="utf-8")) for path in files]
    return corpus((name, text) for name, said in read for text in re.split(r"^%.*$", said, flags=re.MULTILINE))


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


def subjects(real: Corpus) -> list[str]:
    """Those that have enough texts, and not so many that they are the set."""
    return [name for name, count in Counter(real.topics).items() if name and FEWEST <= count <= len(real.texts) // 4]


def parts(real: Corpus, texts: int, rng: np.random.Generator, by_subject: bool = False) -> tuple[Texts, Texts]:
    """Two parts of the set that have no text in common.

    Args:
        texts: of each part, at most.
        by_subject: nor a subject: all that is of one goes to one of two sides, the smaller one as they come by lot.
    """
    order = rng.permutation(len(real.texts))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    if by_subject:
        of: dict[str, list[int]] = {topic: [] for topic in rng.permutation(sorted(set(real.topics))).tolist()}
        for place in order.tolist():
            of[real.topics[place]].append(place)
        sides: tuple[list[int], list[int]] = [], []
        for places in of.values():
            min(sides, key=len).extend(places)
        first, second = (rng.permutation(side) for side in sides)
    return [real.texts[place] for place in first[:texts]], [real.texts[place] for place in second[:texts]]


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
    names = subjects(real)
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

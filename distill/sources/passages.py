"""text -> passages of about so many words, cut where a paragraph or a sentence ends; and where a text last ends.

A word is what stands between spaces; in scripts that put none every character is one. Nothing but blank space between
two passages is lost. It knows nothing of files or rows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.words import UNSPACED

WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
PARAGRAPH = re.compile(r"\n\s*\n\s*")
# A full stop, the quotes and brackets that close with it, and a space; full-width marks need none.
SENTENCE = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』”）]*)\s*")
HEADING = 12
"""Most words of a line that is taken for a heading: it belongs to what follows it."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text that is not cut."""

    start: int
    end: int
    words: int
    closes: bool
    """A paragraph ends with it."""


def size(text: str) -> int:
    """Words of a text."""
    return sum(1 for _ in WORD.finditer(text))


def passages(text: str, words: int) -> list[str]:
    """The text in passages of at most so many words, but for what cannot be cut: a sentence of up to twice as many.

    A paragraph's end is taken rather than a sentence's where that leaves a passage half full or more, and what is left at
    the end of the text is not put by itself when it is less than a quarter of a passage.

    >>> passages("One two three. Four five.\\n\\nSix seven eight nine.", 5)
    ['One two three. Four five.', 'Six seven eight nine.']
    """
    done: list[list[Piece]] = []
    current: list[Piece] = []
    for piece in _pieces(text, words):
        while current and sum(one.words for one in current) + piece.words > words:
            cut = _cut(current, words)
            done.append(current[:cut])
            current = current[cut:]
        current.append(piece)
    if done and sum(one.words for one in current) < words / 4:
        current = done.pop() + current
    spans = [(one[0].start, one[-1].end) for one in (*done, current) if one]
    return [text[start:end].strip() for start, end in spans]


def beginning(text: str, words: int) -> str:
    """The first so many words of a text.

    >>> beginning("One  two three.", 2)
    'One  two'
    """
    ends = [match.end() for match in itertools.islice(WORD.finditer(text), words)]
    return text[: ends[-1]] if ends else ""


def whole(text: str) -> str:
    """The text up to where its last sentence ends; empty where none does."""
    ends = [match.end() for match in SENTENCE.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else ""


def sentences(text: str) -> list[str]:
    """The sentences of a text, headings each by itself."""
    found = []
    for paragraph in PARAGRAPH.split(text):
        ends = [0, *(match.end() for match in SENTENCE.finditer(paragraph)), len(paragraph)]
        found += [paragraph[a:b].strip() for a, b in itertools.pairwise(ends)]
    return [sentence for sentence in found if sentence]


def _cut(current: list[Piece], words: int) -> int:
    """How many pieces make up the passage: to the last paragraph's end that is not too early, or all."""
    total, best = 0, len(current)
    for count, piece in enumerate(current, 1):
        total += piece.words
        if piece.closes and total >= words / 2:
            best = count
    return best


def _pieces(text: str, words: int) -> Iterator[Piece]:
    """Sentences, each with what belongs to it; one that never ends is cut between words."""
    start = 0
    for paragraph in [*(match.end() for match in PARAGRAPH.finditer(text)), len(text)]:
        if paragraph < len(text) and _heading(text[start:paragraph]):
            continue
        ends = [start + match.end() for match in SENTENCE.finditer(text[start:paragraph])]
        for end in sorted({*ends, paragraph}):
            count = size(text[start:end])
            if count > 2 * words:
                yield from _forced(text, start, end, words)
            elif count:
                yield Piece(start, end, count, end == paragraph)
            start = end


def _heading(text: str) -> bool:
    """A line by itself that ends no sentence."""
    line = text.strip()
    return "\n" not in line and not SENTENCE.search(line[-3:]) and size(line) <= HEADING


def _forced(text: str, start: int, end: int, words: int) -> Iterator[Piece]:
    """A sentence that is far too long, a table say, cut after every so many words."""
    starts = [start + match.start() for match in WORD.finditer(text[start:end])]
    bounds = [*starts[::words], end]
    for number, (first, last) in enumerate(itertools.pairwise(bounds), 1):
        yield Piece(first, last, size(text[first:last]), number == len(bounds) - 1)

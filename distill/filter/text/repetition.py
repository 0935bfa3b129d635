"""A filter that drops answers and texts which go round in circles.

Every answer of a conversation is read, and of a preference the chosen one: going round in circles is a good reason to reject one.

The measures are those of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): repeated lines and repeated n-grams as a
share of the text. Here they are counted in words and the bounds are wider (Gopher allows 0.30 for lines and 0.15 for
5-grams): answers are short, and lists, code and worked solutions repeat themselves rightly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from distill.filter.bindings import shorten
from distill.filter.text.turns import Turn, TurnFilter
from distill.protocols import Verdict
from distill.words import UNSPACED, words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_READ = 200_000
"""Characters of an answer that are read: who turns in circles does so early."""
_RULES = tuple(map(ord, " \t\r\n-=_*#~.|+")) + tuple(range(0x2500, 0x2580))
"""Characters that lines are drawn with."""
_UNSPACED = re.compile(f"[{UNSPACED}]")
_LIST_MARK = re.compile(r"^[\W\d_]+")


class Repetition(TurnFilter):
    """Drops an answer when much of it was said before in the same answer."""

    kind: Literal["repetition"] = "repetition"
    ngram: int = Field(5, ge=2)
    """Words in a row that count as said before; twice as many characters where a script has no spaces."""
    max_ngram_share: float = Field(0.4, gt=0, le=1)
    """Most of the words that may stand in an n-gram which was there before."""
    max_line_share: float = Field(0.4, gt=0, le=1)
    """Most of the text that may be lines which were there before, numbering aside."""
    min_repeated: int = Field(10, ge=1)
    """Words that must be said again before a share is looked at: a short answer is not dropped for an echo."""
    max_run: int = Field(40, ge=4)
    """Most characters that a group of one to four may fill by following itself; rules and table borders aside."""

    def objection(self, turn: Turn) -> Verdict | None:
        text = turn.said[:_READ]
        # What is said again was said before: a text as short as that holds no more than a run of characters.
        if len(text) <= (2 if text.isascii() else 1) * self.min_repeated:
            return self._run(text)
        return self._run(text) or self._ngrams(text) or self._lines(text)

    def _ngrams(self, text: str) -> Verdict | None:
        tokens = words(text)
        unspaced = not text.isascii() and 2 * len(_UNSPACED.findall(text)) > len(tokens)
        n, least = (2 * self.ngram, 2 * self.min_repeated) if unspaced else (self.ngram, self.min_repeated)
        enough = max(least, self.max_ngram_share * len(tokens))
        # No word of a repeated n-gram is there for the first time: most texts need no more than that, or the next.
        if len(tokens) - len(set(tokens)) < enough:
            return None
        grams = list(zip(*(tokens[place:] for place in range(n)), strict=False))
        if n * (len(grams) - len(set(grams))) < enough:
            return None
        repeated, counts = _said_before(grams, n)
        if repeated < least or repeated <= self.max_ngram_share * len(tokens):
            return None
        gram, times = counts.most_common(1)[0]
        said = ("" if unspaced else " ").join(gram)
        return Verdict(False, "repeated_words", round(repeated / len(tokens), 4), f"{times} times: {shorten(said)}")

    def _lines(self, text: str) -> Verdict | None:
        lines = text.splitlines()
        bare = [_LIST_MARK.sub("", line).casefold().rstrip() for line in lines] if len(lines) > 1 else []
        if len(set(bare)) == len(bare):
            return None
        seen: set[str] = set()
        repeated = total = 0
        worst = (0, "")
        for line in bare:
            size = len(words(line))
            total += size
            if line in seen:
                repeated += size
                worst = max(worst, (size, line), key=lambda one: one[0])
            seen.add(line)
        if repeated < self.min_repeated or repeated <= self.max_line_share * total:
            return None
        return Verdict(False, "repeated_lines", round(repeated / total, 4), shorten(worst[1]))

    def _run(self, text: str) -> Verdict | None:
        start, length = longest_run(text) if _may_run(text, self.max_run) else (0, 0)
        if length <= self.max_run:
            return None
        return Verdict(False, "character_run", length, shorten(text[start : start + 40]))


def _may_run(text: str, longest: int) -> bool:
    """Whether a longer run is possible: within one, twelve characters equal the next twelve wherever one looks, for
    groups of one to four divide twelve. Looks as often as a run cannot pass between."""
    step = longest - 22
    if step < 1:
        return len(text) > longest
    for at in range(0, len(text) - 23, step):  # noqa: SIM110 - on the path of every answer
        if text[at : at + 12] == text[at + 12 : at + 24]:
            return True
    return False


def _said_before(grams: Sequence[tuple[str, ...]], n: int) -> tuple[int, Counter[tuple[str, ...]]]:
    """How many words stand in an n-gram that was there before, each counted once; how often each n-gram is there."""
    counts: Counter[tuple[str, ...]] = Counter()
    covered = end = 0
    for start, gram in enumerate(grams):
        if gram in counts:
            covered += start + n - max(start, end)
            end = start + n
        counts[gram] += 1
    return covered, counts


@cache
def _not_rules() -> npt.NDArray[np.bool_]:
    """By code point whether a character is none that lines are drawn with; the last entry stands for all beyond."""
    import numpy as np

    table = np.ones(max(_RULES) + 2, dtype=bool)
    table[list(_RULES)] = False
    return table


def longest_run(text: str) -> tuple[int, int]:
    """Start and length of the longest stretch in which a group of one to four characters follows itself."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    table = _not_rules()
    plain = table[np.minimum(codes, len(table) - 1)]
    found = (0, 0)
    for group in range(1, min(5, len(codes))):
        same = (codes[group:] == codes[:-group]) & plain[group:]
        breaks = np.concatenate(([-1], np.flatnonzero(~same), [len(same)]))
        gaps = np.diff(breaks) - 1
        longest = int(gaps.argmax())
        length = int(gaps[longest]) + group if gaps[longest] else 0
        if length > found[1]:
            found = int(breaks[longest]) + 1, length
    return found

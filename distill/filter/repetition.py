"""A filter that drops answers and texts which go round in circles.

Of a preference the chosen answer is read: going round in circles is a good reason to reject one.

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

from distill.filter.bindings import RowFilter, shorten
from distill.protocols import KEEP, Verdict
from distill.rows import Row
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


class Repetition(RowFilter):
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

    def verdict(self, row: Row) -> Verdict:
        text = row.answer[:_READ]
        return self._run(text) or self._ngrams(text) or self._lines(text) or KEEP

    def _ngrams(self, text: str) -> Verdict | None:
        tokens = words(text)
        unspaced = 2 * len(_UNSPACED.findall(text)) > len(tokens)
        n, least = (2 * self.ngram, 2 * self.min_repeated) if unspaced else (self.ngram, self.min_repeated)
        repeated, counts = _said_before(tokens, n)
        if repeated < least or repeated <= self.max_ngram_share * len(tokens):
            return None
        gram, times = counts.most_common(1)[0]
        said = ("" if unspaced else " ").join(gram)
        return Verdict(False, "repeated_words", round(repeated / len(tokens), 4), f"{times} times: {shorten(said)}")

    def _lines(self, text: str) -> Verdict | None:
        sizes: dict[str, int] = {}
        repeated = total = 0
        worst = ""
        for line in text.splitlines():
            bare = _LIST_MARK.sub("", line).casefold().rstrip()
            size = len(words(bare))
            total += size
            if size and bare in sizes:
                repeated += size
                worst = max(worst, bare, key=lambda one: sizes.get(one, 0))
            sizes[bare] = sizes.get(bare, 0) + size
        if repeated < self.min_repeated or repeated <= self.max_line_share * total:
            return None
        return Verdict(False, "repeated_lines", round(repeated / total, 4), shorten(worst))

    def _run(self, text: str) -> Verdict | None:
        start, length = longest_run(text) if len(text) > self.max_run else (0, 0)
        if length <= self.max_run:
            return None
        return Verdict(False, "character_run", length, shorten(text[start : start + 40]))


def _said_before(tokens: Sequence[str], n: int) -> tuple[int, Counter[tuple[str, ...]]]:
    """How many words stand in an n-gram that was there before, each counted once; how often each n-gram is there."""
    counts: Counter[tuple[str, ...]] = Counter()
    covered = end = 0
    for start, gram in enumerate(zip(*(tokens[place:] for place in range(n)), strict=False)):
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

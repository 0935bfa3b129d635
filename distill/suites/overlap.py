"""an answer and a reference -> how much of their letters and words they share.

    chrF      character n-grams, in linear time
    ROUGE-L   the longest common subsequence of their words, as an F-measure

What is longer than `LONGEST` words counts with its first words only: a common subsequence takes the product of both
lengths, here by 64 words at once, which is a quarter of a second for two such texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from distill.suites.suite import Measure, Measures
from distill.words import words

LONGEST = 20_000
"""Words of a text that ROUGE-L looks at."""


@dataclass(frozen=True)
class Answer:
    """An answer that is held against several references."""

    text: str

    @cached_property
    def _words(self) -> list[str]:
        return words(self.text)[:LONGEST]

    def chrf(self, reference: str) -> float:
        """chrF2 (Popović 2015, W15-3049): character 1- to 6-grams, recall twice as heavy as precision; 0 to 100."""
        from sacrebleu import sentence_chrf

        return float(sentence_chrf(self.text, [reference], word_order=0).score)

    def rouge_l(self, reference: str) -> float:
        """ROUGE-L (Lin 2004, W04-1013): F1 of precision and recall of the longest common subsequence; 0 to 100."""
        other = words(reference)[:LONGEST]
        common = subsequence(self._words, other)
        return 200 * common / (len(self._words) + len(other)) if common else 0.0


def chrf(answer: str, reference: str) -> Measures:
    return {"chrf": Measure(value=Answer(answer).chrf(reference), weight=1)}


def subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, by bits of one long number (Hyyrö 2004).

    >>> subsequence("the cat sat on the mat".split(), "the cat lay on a mat".split())
    4
    """
    places: defaultdict[str, int] = defaultdict(int)
    for place, word in enumerate(b):
        places[word] |= 1 << place
    full = (1 << len(b)) - 1
    rows = full  # a bit that is 0: the subsequence grows at this word of b
    for word in a:
        if matches := places.get(word, 0) & rows:
            rows = (rows + matches) | (rows - matches)
            rows &= full
    return len(b) - rows.bit_count()

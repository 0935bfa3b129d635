"""evaluated questions -> verdicts on questions that say the same in other words, or in another language.

    by words     most of what is rare in them is in both, and numbers and names agree
    by numbers   the same numbers, so many that they are seldom met together by chance: no word is looked at

How rare a word is, is counted in bits among the evaluated questions: log2 of all by those that have it. An embedder sees
more (see neighbours.py); this costs a few microseconds and needs no model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from distill.filter.bindings import shorten
from distill.filter.contamination.agree import STEM, Facts, agree, telling
from distill.filter.contamination.postings import Postings
from distill.filter.contamination.said import Said, Texts
from distill.filter.contamination.seen import SMALL, Evaluated
from distill.protocols import KEEP, Verdict

LONGEST = 400
"""Terms of a question that are compared."""
SHARE, BITS = 0.5, 30.0
"""Least share of the bits of the words of both that both have, and least bits."""
SHARE_WITH_NUMBERS, BITS_WITH_NUMBERS = 0.3, 20.0
"""The same where they have two numbers in common: these are seldom met together by chance."""
NUMBERS = 4
"""Least numbers of a question that is known by its numbers alone."""
MARGIN = 8.0
"""Bits by which these must be rarer than chance would have it among all evaluated questions."""


class Reworded:
    def __init__(self, evaluated: Iterable[Evaluated]) -> None:
        distinct: dict[str, tuple[str, Said]] = {}
        for name, texts in evaluated:
            for said in texts.asked:
                distinct.setdefault(said.key, (name, said))
        self._owners = [(name, Facts(said.text)) for name, said in distinct.values()]
        self._words = Postings([stems(said.terms) for _, said in distinct.values()])
        self._by_numbers = dict(self._telling_numbers([said for _, said in distinct.values()]))

    def judge(self, rows: Sequence[Texts]) -> list[Verdict]:
        """Evidence is the evaluated row and its question, score the share of the words, in bits."""
        verdicts = [KEEP] * len(rows)
        turns = [(place, said) for place, texts in enumerate(rows) for said in texts.asked]
        words = [stems(said.terms) for _, said in turns]
        near = self._words.near(words, SHARE_WITH_NUMBERS, BITS_WITH_NUMBERS)
        for index, (place, said) in enumerate(turns):
            share, owner, reason = 0.0, self._by_numbers.get(_numbers(said), -1), "same_numbers"
            if index in near:
                facts = Facts(said.text)
                share, best = max((self._share(facts, words[index], owner), -owner) for owner in near[index])
                owner, reason = (-best, "reworded") if share else (owner, reason)
            if owner >= 0 and (share or 1.0) > (verdicts[place].score or 0):
                verdicts[place] = self._dropped(reason, owner, share or 1.0)
        return verdicts

    def _share(self, facts: Facts, words: frozenset[str], owner: int) -> float:
        """The share of what both say that both have; 0 where that is too little, or numbers or names differ."""
        both = self._words.both(words, owner)
        if both < BITS_WITH_NUMBERS:
            return 0.0
        share, other = both / self._words.either(words, owner), self._owners[owner][1]
        numbers = share >= SHARE_WITH_NUMBERS and telling(facts, other)
        enough = numbers or (share >= SHARE and both >= BITS)
        return share if enough and agree(facts, other) else 0.0

    @staticmethod
    def _telling_numbers(asked: Iterable[Said]) -> Iterator[tuple[tuple[str, ...], int]]:
        """Numbers that are hardly met together by chance, and the evaluated question that has them."""
        every = [_numbers(said) for said in asked]
        counts = Counter(chain.from_iterable(map(set, every)))
        for owner, numbers in enumerate(every):
            bits = sum(math.log2((len(every) + 1) / counts[number]) for number in numbers)
            if len(numbers) >= NUMBERS and bits >= math.log2(len(every) + 1) + MARGIN:
                yield numbers, owner

    def _dropped(self, reason: str, owner: int, share: float) -> Verdict:
        name, facts = self._owners[owner]
        return Verdict(False, reason, round(share, 4), f"{name}: {shorten(facts.text)}")


def stems(terms: Sequence[str]) -> frozenset[str]:
    """What tells a question from others: the beginnings of its words, without the small ones."""
    return frozenset([term[:STEM] for term in terms[:LONGEST] if term not in SMALL])


def _numbers(said: Said) -> tuple[str, ...]:
    """In any order; what separates thousands, a comma, a point or a space, makes no difference."""
    return tuple(sorted([term for term in said.terms[:LONGEST] if term.isdigit()]))

"""Does an answer stand in a passage, or a short answer in a longer one: cheap measures by words and numbers, no model.

They find what was made up, not what was misunderstood: an answer of the passage's own words in a wrong order passes.
Words that point at a text, and endings, are known for English alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from distill.languages import telling_words
from distill.rows import normalise

_COMMON = frozenset(
    "according answer been before being called does during every give given goes known made make means much never only "
    "other question same say says something such tell tells text thing things through too used very while without".split()
)
"""Words of English that say nothing of a subject, besides the very commonest."""
_SUFFIXES = ("ing", "edly", "ed", "ers", "er", "es", "ly", "s", "e")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SPELLED_OUT = frozenset((*_SMALL, *_TENS))
_SPELLED = re.compile(rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_SMALL[1:10])}))?|({'|'.join(_SMALL)}))\b")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_THING = r"(?:text|passage|paragraph|document|article|excerpt|sentence|author|writer|story|section|context|description|statement)s?"
POINTS = re.compile(
    rf"\b(?:the|this|that|these|your|our|given|above|following|provided) (?:given |above |following |provided )?{_THING}\b"
    r"|\b(?:mentioned|described|stated|written|given|discussed|listed) (?:above|here|below|in (?:it|this|that|the))\b"
    r"|\baccording to (?:it|this|him|her|them)\b|\bdoes it say\b|\bthe (?:answer|question)\b",
    re.I,
)
"""Words that point at a text which whoever is asked cannot see."""
LEAD = re.compile(
    rf"^(?:according to|based on|as (?:stated|described|mentioned) in|in) (?:the|this) {_THING},? *", re.I
)
"""Such words before an answer that is none the worse without them."""
NOT_SAID = re.compile(
    r"\b(?:does|do|did|is|are|was|were|has|have|can|could)(?: not|n['’]t)(?: \w+)? "
    r"(?:say|said|state|stated|mention|mentioned|specif\w+|provide|provided|tell|told|given?|indicate\w*|explain\w*|answer\w*"
    r"|contain\w*|be (?:determined|answered|found))\b"
    r"|\bno (?:information|mention|answer)\b|\bnot (?:mentioned|stated|given|provided|specified|known) in\b"
    rf"|\b{_THING} (?:does|do)(?: not|n['’]t)\b"
    r"|\bi (?:do not|don['’]t) (?:know|have)\b|\bcannot (?:be )?(?:say|answer|tell|determine)",
    re.I,
)
"""An answer that says that there is none."""
_WHO = re.compile(
    # "What does it mean to …", "Is it true that …" mean nothing by "it".
    r"\b(?:its|they|them|their|he|him|his|she|her|this|these|those|it(?!.*\b(?:to|that|for|if|when)\b))\b",
    re.I,
)
_ASKED = re.compile(r"^\W*(?:how|what|which|whose)\s+\w+", re.I)
_YES_NO = re.compile(r"(yes|no|true|false)\b")


def support(said: Set[str], *sources: str) -> float:
    """The share of some terms that stand in any of the sources; 0 where there are none."""
    there: set[str] = set().union(*(terms(source) for source in sources))
    return len(said & there) / len(said) if said else 0.0


def terms(text: str) -> set[str]:
    """Words of meaning without their endings, and numbers."""
    said = {word for word in telling_words(text) if word not in _COMMON and not word[0].isdigit()}
    return {stem(word) for word in said} - _SPELLED_OUT | numbers(text)


def stem(word: str) -> str:
    """A word without its commonest endings.

    >>> stem("printing"), stem("printers"), stem("printed")
    ('print', 'print', 'print')
    """
    return next(
        (short for ending in _SUFFIXES if (short := word.removesuffix(ending)) != word and len(short) >= 3), word
    )


def numbers(text: str) -> set[str]:
    """The numbers of a text, in figures whether it writes them so or in words; a bare "one" is none.

    >>> sorted(numbers("Fifty-two of 1,500, one by one, at 2.1 metres"))
    ['1500', '2.1', '52']
    """
    return _figures(text) | {number for number in _spelled(text) if number != "1"}


def made_up(answer: str, passage: str) -> set[str]:
    """Numbers of an answer that the passage does not have."""
    return numbers(answer) - _figures(passage) - set(_spelled(passage))


def agree(reference: str, answer: str, question: str) -> bool:
    """Whether a short answer says what a longer one says: all its words of meaning and numbers are there, and it adds
    something to the question.

    >>> agree("Six weeks", "A worker lives about 6 weeks.", "How long does a worker live?")
    True
    >>> agree("Eight weeks", "A worker lives about six weeks.", "How long does a worker live?")
    False
    """
    short, long = normalise(reference), normalise(answer)
    if short == long:
        return True
    said, told = _YES_NO.match(short), _YES_NO.match(long)
    if said or told:
        return bool(said and told and said[1] == told[1])
    new = terms(reference) - terms(question)
    return bool(new) and new <= terms(answer) and numbers(reference) <= numbers(answer) | numbers(question)


def vague(question: str) -> bool:
    """It speaks of "it" or "these" before anything that it could mean ("How long" is nothing)."""
    question = _ASKED.sub("", question)
    who = _WHO.search(question)
    return who is not None and not terms(question[: who.start()])


def _figures(text: str) -> set[str]:
    return {figure.replace(",", "") for figure in _DIGITS.findall(text)}


def _spelled(text: str) -> Iterator[str]:
    for tens, unit, small in _SPELLED.findall(text.casefold()):
        if small:
            yield str(_SMALL.index(small))
        else:
            yield str(10 * (_TENS.index(tens) + 2) + (_SMALL.index(unit) if unit else 0))

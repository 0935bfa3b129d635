"""Does an answer stand in a passage: cheap measures by words and numbers, no model.

They find what was made up, not what was misunderstood: an answer of the passage's own words in a wrong order passes.
English where words of a language are needed; what has no such words is measured by all of its longer words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from distill.sources.passages import UNSPACED

_WORDS = re.compile(rf"[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_]+)?")
_COMMON = frozenset(
    "about above after again against also although among another around because been before behind being below between "
    "both came cannot come could does doing done down during each either else ever every from given gives goes have having "
    "here hers herself himself into itself just like made make many mean might more most much must neither never none "
    "often once only other others ours over quite rather same several shall should since some something sometimes still "
    "such take than that their them themselves then there therefore these they thing things this those though through "
    "thus together toward towards under until upon used uses using very want well were what when where whether which "
    "text passage paragraph according "
    "while whom whose will with within without would your yours called call named known said says tell tells means".split()
)
"""Words that say nothing of a subject."""
_SUFFIX = re.compile(r"(?:ing|edly|ed|ers|er|es|s|ly|e)$")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
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


def support(said: Set[str], *sources: str) -> float:
    """The share of some terms that stand in any of the sources; 0 where there are none."""
    there: set[str] = set().union(*(terms(source) for source in sources))
    return len(said & there) / len(said) if said else 0.0


def terms(text: str) -> set[str]:
    """Words of four letters and more without their endings, and numbers; every character of scripts without spaces."""
    words = _WORDS.findall(text.casefold())
    signs = {word for word in words if len(word) == 1 and not word.isascii()}
    return signs | {stem(word) for word in words if len(word) >= 4 and word not in _COMMON} | numbers(text)


def stem(word: str) -> str:
    """A word without its commonest endings.

    >>> stem("printing"), stem("printers"), stem("printed")
    ('print', 'print', 'print')
    """
    word = re.sub(r"['’]s$", "", word)
    short = _SUFFIX.sub("", word)
    return short if len(short) >= 3 else word


def numbers(text: str) -> set[str]:
    """The numbers of a text, in figures whether it writes them so or in words; a bare "one" is none.

    >>> sorted(numbers("Fifty-two of 1,500, one by one, at 2.1 metres"))
    ['1500', '2.1', '52']
    """
    return _figures(text) | {number for number in _spelled(text) if number != "1"}


def made_up(answer: str, passage: str) -> set[str]:
    """Numbers of an answer that the passage does not have."""
    return numbers(answer) - _figures(passage) - set(_spelled(passage))


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

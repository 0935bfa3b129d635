"""A filter that drops refusals and talk of being a language model: a student learns them from few examples.

Only the opening of an answer or a text is read, without what it quotes, and a phrase that the question itself holds does
not count: the translation or the discussion of a refusal is none. Of a preference the chosen answer is read: a refusal may
well be what was rejected. A known limit: a refusal that comes late is not found.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from distill.filter.bindings import RowFilter, shorten
from distill.protocols import KEEP, Verdict
from distill.rows import Row

_CANNOT = r"i(?: can(?:no|')t| can not| won't| will not|(?: am|'m) (?:not able|unable|not allowed|not permitted) to)"
_SORRY = (
    r"(?:(?:i(?:'m| am) )?(?:(?:very|so|really|truly) )?(?:sorry|afraid)|i apologi[sz]e|my apologies|unfortunately)"
)
_ASIDE = r"(?: (?:for|about|that) [\w' ]{1,40})?[,.!]?(?: but| that)?,? "
# "I can't help but laugh", "I can't help it" and "I can't help falling in love" are no refusals.
_TASK = (
    r"(?:(?:help|assist)(?! (?:but|it|my\w*|\w+ing)\b)|provide|fulfil|comply|answer (?:that|this|your)"
    r"|generate|create\b|give (?:you|medical|legal|financial|advice)|share|engage in|support|participate|discuss"
    r"|respond to|access|browse|see (?:images|pictures|your)|do (?:that|this)\b|offer|recommend (?:specific|any)"
    r"|write (?:that|this|an?|your)\b)"
)
_MODEL = (
    r"(?:\w+ )?(?:ai|a\.i\.|artificial intelligence|language model|chat ?bot|virtual assistant|machine learning model)"
    r"(?: (?:language )?model| assistant| chatbot| system)?"
)

REFUSED = (
    # After an apology whatever it is that cannot be done, but for what people cannot do.
    rf"^{_SORRY}{_ASIDE}{_CANNOT} (?!hear|believe|remember|wait|make it|come|stay|go\\b|attend|join)",
    rf"\b{_SORRY}{_ASIDE}{_CANNOT} {_TASK}",
    rf"^{_CANNOT} {_TASK}",
    rf"^{_SORRY}{_ASIDE}(?:that|this|it)(?:'s| is) (?:not something i|against my|beyond my|outside my)",
    r"^i (?:must|have to|need to) (?:respectfully |politely )?(?:decline|refuse)\b",
    r"^it(?:'s| is| would be) (?:not |un|in)(?:appropriate|ethical) (?:for me )?to (?:provide|assist|help|write)",
    r"^i(?:'m| am) not (?:comfortable (?:with th|\w+ing)|programmed to|designed to|permitted to|allowed to)",
    # The commonest of other languages; `more_patterns` takes the rest.
    r"^(?:es tut mir (?:sehr )?leid|leider),? (?:aber )?(?:ich kann|kann ich)\b",
    r"^(?:lo siento|lamentablemente),? (?:pero )?no puedo\b",
    r"^(?:je suis )?(?:vraiment )?désolée?,? (?:mais )?je ne (?:peux|suis)\b",
    r"^很?(?:抱歉|对不起)[,，]? ?(?:但)?我(?:无法|不能)",
    r"^申し訳(?:ありません|ございません)",
)
"""Refusals, as regular expressions."""
SELF_TALK = (
    rf"\bas an? {_MODEL}(?:,| (?:i|my|trained|created|developed|designed|without)\b)",
    rf"\bi(?:'m| am) (?:just |only )?an? {_MODEL}[\w ]{{0,40}}[,.]? (?:so |and |but )?i (?:do not|don't|can(?:no|')t)",
    r"\bi (?:do not|don't) have (?:personal (?:opinion|feeling|experience|belief|preference|emotion)"
    r"|the (?:ability|capability|capacity) to|access to (?:real|your|the|current|personal|any))",
)
"""Talk of being a language model, as regular expressions."""
_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|(`|\")(?:(?!\1).)*(?:\1|\Z)|“[^”]*(?:”|\Z)|«[^»]*(?:»|\Z)|「[^」]*(?:」|\Z)|^>.*?$", re.M | re.S
)
_GREETING = re.compile(r"^(?:(?:hi|hello|hey|oh|well|hmm|ok|okay|no|sure|thanks|thank you)\b[\w ]{0,20}[,.!]+ )+")


class Refusal(RowFilter):
    """Drops an answer that opens with a refusal (`refused`) or with talk of being a language model (`as_a_model`)."""

    kind: Literal["refusal"] = "refusal"
    opening: int = Field(240, gt=0)
    """Characters of the answer that are read."""
    patterns: tuple[str, ...] | None = None
    """Regular expressions that take the place of the refusals known here. They meet lower case, straight quotes and
    single spaces; `^` is the start of the answer after a word of greeting."""
    more_patterns: tuple[str, ...] = ()
    """Regular expressions added to them."""
    self_talk: bool = True
    """Whether "as an AI language model" and the like are dropped too."""

    @field_validator("patterns", "more_patterns")
    @classmethod
    def _must_compile(cls, patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for pattern in patterns or ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns

    @cached_property
    def _reasons(self) -> dict[str, list[re.Pattern[str]]]:
        refused = (*(REFUSED if self.patterns is None else self.patterns), *self.more_patterns)
        return {
            "refused": [re.compile(pattern) for pattern in refused],
            "as_a_model": [re.compile(pattern) for pattern in SELF_TALK if self.self_talk],
        }

    def verdict(self, row: Row) -> Verdict:
        """Score is the place in the opening where the phrase begins."""
        opening = _GREETING.sub("", _plain(_QUOTED.sub(" ", row.answer[: self.opening])))
        asked = None
        for reason, patterns in self._reasons.items():
            for pattern in patterns:
                match = pattern.search(opening)
                if not match:
                    continue
                asked = _plain(row.question) if asked is None else asked
                if match[0].strip(" ,.") not in asked:
                    return Verdict(False, reason, match.start(), shorten(opening[match.start() :]))
        return KEEP


def _plain(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split())

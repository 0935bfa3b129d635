"""answer -> the phrase with which it refuses or talks of being a language model, if it opens with one.

Only the opening of an answer is read, without what it quotes, and a phrase that the question itself holds does not
count: the translation or the discussion of a refusal is none. A known limit: a refusal that comes late is not found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

OPENING = 240
"""Characters of an answer that are read."""
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
    r"^(?:lo siento|lamentablemente),? (?:pero )?no puedo\b(?! (?:escuchar|oír|creer|esperar|dejar|evitar))",
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
REFUSED_HAS = tuple(
    "can't|cannot|can not|won't|will not|unable|not able|not allowed|not permitted|not something|not comfortable|not programmed"
    "|not designed|decline|refuse|appropriate|ethical|against my|beyond my|outside|leid|siento|lamentable|désol|抱歉|对不起|申し訳"
    "".split("|")
)
SELF_TALK_HAS = tuple(
    " ai|a.i.|artificial|language model|chatbot|chat bot|virtual|machine learning|not have|n't have".split("|")
)
"""One of these is in whatever the patterns are met by: most answers have none, and need no more than this look."""
_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|(`|\")(?:(?!\1).)*(?:\1|\Z)|“[^”]*(?:”|\Z)|«[^»]*(?:»|\Z)|「[^」]*(?:」|\Z)|^>.*?$", re.M | re.S
)
_QUOTING = '`"“«「>'
_GREETING = re.compile(r"^(?:(?:hi|hello|hey|oh|well|hmm|ok|okay|no|sure|thanks|thank you)\b[\w ]{0,20}[,.!]+ )+")


def compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    return [re.compile(pattern) for pattern in patterns]


_REFUSED = compiled(REFUSED)


def phrase(
    answer: str, question: str, patterns: Sequence[re.Pattern[str]] = _REFUSED, opening: int = OPENING
) -> tuple[int, str] | None:
    """Where in the opening of an answer the first of the patterns is met, and the opening from there on."""
    return met(own_words(answer[:opening]), question, patterns)


def own_words(opening: str) -> str:
    """What patterns meet: lower case, straight quotes, single spaces, without quotations and words of greeting."""
    if has(_QUOTING, opening) or opening[:1] == ">":
        opening = _QUOTED.sub(" ", opening)
    return _GREETING.sub("", _plain(opening))


def has(parts: Sequence[str], text: str) -> bool:
    """Whether one of the parts is in a text."""
    for part in parts:  # noqa: SIM110 - on the path of every answer, and `any` takes twice as long
        if part in text:
            return True
    return False


def met(said: str, question: str, patterns: Sequence[re.Pattern[str]]) -> tuple[int, str] | None:
    """Where the first of the patterns is met that the question does not hold itself, and what is said from there on."""
    asked = None
    for pattern in patterns:
        match = pattern.search(said)
        if not match:
            continue
        asked = _plain(question) if asked is None else asked
        if match[0].strip(" ,.") not in asked:
            return match.start(), said[match.start() :]
    return None


def _plain(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split())

"""question -> what it demands of the form of its answer, each with a check: only what can be read without guessing.

    demands("Answer in at most 50 words, without commas.")  ->  [at most 50 words, no commas]

English only. A demand must be addressed to the answerer in a known turn of phrase; quoted text, code and the middle of a
long question (a passage, mostly) are not read. A check says what is wrong, or None; where a text can be counted in
several ways, it objects only when all of them do. Where code is asked for, nothing is said of JSON: the code may be what
makes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from distill.filter.text.shape import blank, has_items, is_json, items, paragraphs, sentences, without_code, word_counts


class Wrong(NamedTuple):
    counted: int
    """What was counted: words, items, commas; 0 where nothing is."""
    said: str


Check = Callable[[str], Wrong | None]
"""answer -> what is wrong with it, or None."""


class Demand(NamedTuple):
    reason: str
    said: str
    """The words of the question."""
    check: Check


_ENDS = 400
"""Characters read at the beginning and at the end of a question longer than both."""
_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”", re.S)
_CODING = re.compile(
    r"\b(?:functions?|code|program|script|api|endpoint|class|method|python|javascript|sql|query)\b", re.I
)
_WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
_NUMBER = rf"(?P<n>\d{{1,5}}|{'|'.join(_WORDS)}|a single)"
_ANSWER = r"(?:(?:your|the) (?:entire |whole |final )?(?:answer|response|reply|output))"
_REPLY = r"(?:answer|respond|reply)"
_MOST = r"(?:at most|no more than|not more than|a maximum of|maximum|max|up to|fewer than|less than|under|below|within)"
_LEAST = r"(?:at least|no fewer than|no less than|a minimum of|more than|over)"
_BEYOND = ("fewer than", "less than", "under", "below", "more than", "over")
"""Bounds that are themselves outside."""
_UNIT = r"(?P<unit>word|sentence|paragraph)s?\b(?! (?:each|per|long))"
_START = r"(?:(?:^|[.!?:;,\n]\s*|\b(?:please|and|but|then|just|only)\s+)(?:please )?(?:only |just )?)"
_TOLD = (
    rf"(?:{_START}(?:write|use|{_REPLY}(?: in| with| using)?)"
    rf"|{_ANSWER} (?:should|must|has to|needs to) (?:be|have|contain|use)"
    rf"|(?:keep|limit) (?:it|{_ANSWER})(?: short)?(?: to| at)?,?)"
)


def demands(question: str) -> Iterator[Demand]:
    """The demands of a question, in no order that matters."""
    text = question if len(question) <= 2 * _ENDS else f"{question[:_ENDS]}\n\n{question[-_ENDS:]}"
    lower = text.lower()
    met = {key for key in _KEYS if key in lower}
    kinds = [kind for kind in _KINDS if not met.isdisjoint(kind[0])] if met else []
    if not kinds:
        return
    text = text.replace("’", "'")
    plain = _QUOTED.sub(lambda quoted: '"' * len(quoted[0]), text)
    for _, reason, pattern, make in kinds:
        for match in pattern.finditer(plain):
            said = text[match.start() : match.end()].lstrip(" .!?:;,\n")
            check = make(match, text)
            if check:
                yield Demand(reason.format(**match.groupdict()), said, check)


def _number(match: re.Match[str]) -> int:
    said = match["n"].lower()
    return 1 if said == "a single" else _WORDS.index(said) + 1 if said in _WORDS else int(said)


def _limit(match: re.Match[str], _: str) -> Check:
    """At most, at least or exactly so many words, sentences or paragraphs."""
    most = least = _number(match)
    found = match.groupdict()
    bound, unit = (found.get("bound") or "").lower(), match["unit"].lower()
    if re.fullmatch(_LEAST, bound):
        least, most = least + (bound in _BEYOND), 10**9
    elif bound != "exactly":
        least, most = 0, most - (bound in _BEYOND)
    count = {"word": word_counts, "sentence": sentences, "paragraph": paragraphs}[unit]

    def check(answer: str) -> Wrong | None:
        fewest, highest = count(answer)
        if fewest > most:
            return Wrong(fewest, f"{fewest} {unit}s")
        return Wrong(highest, f"{highest} {unit}s") if highest < least else None

    return check


def _items(match: re.Match[str], _: str) -> Check:
    number = _number(match)

    def check(answer: str) -> Wrong | None:
        count = items(answer)
        return None if count is None or count == number else Wrong(count, f"{count} items")

    return check


def _bullets(match: re.Match[str], text: str) -> Check:
    number, counted = _number(match), _items(match, text)

    def check(answer: str) -> Wrong | None:
        none = not has_items(answer) and len(answer.split("\n")) < number
        return Wrong(0, "no items") if none else counted(answer)

    return check


def _json(_: re.Match[str], text: str) -> Check | None:
    return None if _CODING.search(text) else lambda answer: None if is_json(answer) else Wrong(0, "no JSON")


def _commas(_: re.Match[str], __: str) -> Check:
    def check(answer: str) -> Wrong | None:
        count = without_code(answer).count(",")
        return Wrong(count, f"{count} commas") if count else None

    return check


def _case(match: re.Match[str], _: str) -> Check:
    # A single small letter may be the name of something; two are a word.
    wrong = re.compile(r"[a-z]{2,}" if match["case"].lower().startswith(("cap", "upper")) else r"[A-Z]+")

    def check(answer: str) -> Wrong | None:
        found = wrong.findall(without_code(answer))
        return Wrong(len(found), repr(found[0][:20])) if found else None

    return check


def _edge(match: re.Match[str], text: str) -> Check | None:
    """Begin or end with these very words, which stand quoted in the question."""
    wanted = blank(text[match.start("quoted") : match.end("quoted")])
    first = match["edge"].lower() in ("start", "begin")

    def check(answer: str) -> Wrong | None:
        said = blank(answer)
        right = said.startswith(wanted) if first else said.endswith(wanted)
        return None if right else Wrong(0, f"begins {said[:40]!r}" if first else f"ends {said[-40:]!r}")

    return check if wanted else None


def _kind(
    keys: str, reason: str, pattern: str, make: Callable[[re.Match[str], str], Check | None]
) -> tuple[tuple[str, ...], str, re.Pattern[str], Callable[[re.Match[str], str], Check | None]]:
    return tuple(keys.split("|")), reason, re.compile(pattern, re.I), make


_UNITS = "word|sentence|paragraph"
_AS_JSON = r"(?:in|as|with|using) (?:a |an )?(?:single |valid |pure |strict )*json\b(?! (?:schema|lines|parser|files?))"
_WITH = rf"{_ANSWER} with (?:(?:the|this) )?(?:exact )?(?:words? |phrase |sentence |letters? )?(?P<quoted>\"{{3,}})"
_ASKS = (
    r"(?:^|[.!?:\n] *)(?:please )?(?![^.!?\n]*\b(?:use[ds]?|combine|both|put|join|merge|fit)\b)"
    r"(?:explain|describe|summari[sz]e|define|tell|answer|reply|respond|state|what|who|why|give|write)\b"
)
_RESULT = rf"(?:it|everything|{_ANSWER}|(?:your|the) results?)"
_EACH = rf"(?!.*\b(?:each|every|per|and (?:\d|{'|'.join(_WORDS)}))\b)"
_KINDS = (
    _kind(_UNITS, "wrong_{unit}s", rf"(?:{_TOLD}|\bin|\busing) (?P<bound>{_MOST}|exactly) {_NUMBER} {_UNIT}", _limit),
    _kind(_UNITS, "wrong_{unit}s", rf"{_TOLD} (?P<bound>{_LEAST}) {_NUMBER} {_UNIT}", _limit),
    _kind(
        _UNITS, "wrong_{unit}s", rf"\b(?:in|to) {_NUMBER} {_UNIT} (?:or (?:less|fewer)|at most|max(?:imum)?)\b", _limit
    ),
    _kind(_UNITS, "wrong_{unit}s", rf"{_START}limit (?:it|{_ANSWER}) to {_NUMBER} {_UNIT}", _limit),
    _kind(
        "sentence", "wrong_{unit}s", rf"{_ASKS}[^.!?\n]*\bin (?P<n>one|a single) (?P<unit>sentence)(?![ \w]*\w)", _limit
    ),
    _kind("sentence", "wrong_{unit}s", r"^in (?P<n>one|a single) (?P<unit>sentence), ", _limit),
    _kind("word", "wrong_{unit}s", rf"{_START}{_REPLY} (?:in|with) (?P<n>one|a single) (?P<unit>word)\b", _limit),
    _kind(
        "bullet", "wrong_items", rf"\b(?:exactly|only|in|with|into) {_NUMBER} bullet(?:s| points?)\b{_EACH}", _bullets
    ),
    _kind(
        "list|name|give|provide|suggest",
        "wrong_items",
        r"^(?:please )?(?:list|name|give|provide|suggest) (?:me )?(?:exactly )?(?:(?:a list of|the (?:top|first)) )?"
        rf"(?!one\b|1\b|a single\b){_NUMBER} (?!or\b|to\b|words?\b|sentences?\b|paragraphs?\b){_EACH}[a-z]\S*",
        _items,
    ),
    _kind("json", "not_json", rf"{_START}{_REPLY}(?: only| strictly)? {_AS_JSON}", _json),
    _kind("json", "not_json", rf"{_START}(?:format|return|give|output|provide) {_RESULT} {_AS_JSON}", _json),
    _kind(
        "json",
        "not_json",
        r"\byour (?:answer|response|reply|output) (?:should|must|has to) be (?:in )?(?:valid )?json\b",
        _json,
    ),
    _kind(
        "comma",
        "has_commas",
        r"\b(?:do not|don't|avoid|refrain from|without) (?:use|using|the use of)(?: any)? commas\b",
        _commas,
    ),
    _kind("comma", "has_commas", r"\bno commas(?: allowed| at all| please)?(?:[.!\n]|$)", _commas),
    _kind(
        "case|caps|capital",
        "wrong_case",
        rf"(?:{_START}{_REPLY}|{_ANSWER} (?:should|must|has to) be(?: in english,? and)?)(?: only)? (?:written )?"
        r"(?:entirely )?(?:in )?(?:all )?(?P<case>lower ?case|upper ?case|caps|capitals|capital)(?: letters)?(?: only)?\b",
        _case,
    ),
    _kind('"|“', "wrong_start", rf"{_START}(?P<edge>start|begin) {_WITH}", _edge),
    _kind('"|“', "wrong_end", rf"{_START}(?P<edge>end|finish) {_WITH}", _edge),
)
"""Parts of a question without which a pattern cannot be met, reason, pattern, and what it demands."""
_KEYS = sorted({key for kind in _KINDS for key in kind[0]})

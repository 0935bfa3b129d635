"""A filter that drops answers in another language than is wanted, by `py3langid`, which ships its model.

    {kind: language, allow: [en, hi]}        only these, as ISO 639 codes
    {kind: language, same_as_prompt: true}   the language of the question, whatever it is

Prose is read, without code and addresses, in pieces of a few lines. A piece counts as foreign when the detector is sure
that it is in none of the languages wanted. What is too short to tell is kept; so is, by `same_as_prompt`, the answer to
a question that speaks of a language or of translation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from distill.filter.bindings import RowFilter, installed, shorten
from distill.filter.text.turns import taught, turns
from distill.protocols import KEEP, Verdict
from distill.rows import Row

CODES = frozenset(
    "ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi fo fr fuv fy"
    " ga gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab kik kk km kn ko ku ky la lb"
    " lg lij ln lo lt ltg lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh se si"
    " sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu".split()
)
"""Languages that can be told."""
_NO_LANGUAGE = "zxx"
_LIKELY = 0.6
"""Least probability of the likeliest language of a piece. Below it are names, and languages that the model does not know,
such as Hindi in Latin letters."""
_READ = 8000
"""Characters of an answer that are read."""
_SHORT, _LONG = 80, 400
"""Characters: shorter lines are put together before they are looked at, longer ones are cut."""
_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\$\$.*?\$\$|(?<!\S)\S*(?:://|@|www\.)\S*|<[^<>\n]*>", re.S)
_LETTER = re.compile(r"[^\W\d_]")
_SPEAKS_OF_LANGUAGE = re.compile(
    r"translat|\bsay in\b|\blanguage|tradu[cizs]|übersetz|переве[дс]|перекла[дс]|翻[译譯訳]|अनुवाद|ترجم|번역|terjemah|çevir"
    r"|vertaal|översätt|przet[łl]um|dịch|"
    r"\b(?:english|spanish|french|german|italian|portuguese|dutch|swedish|danish|norwegian|finnish|polish|czech|greek"
    r"|russian|ukrainian|turkish|arabic|hebrew|persian|farsi|hindi|hinglish|bengali|marathi|urdu|tamil|telugu|punjabi"
    r"|chinese|mandarin|cantonese|japanese|korean|vietnamese|thai|indonesian|malay|latin|swahili|yoruba)\b",
    re.I,
)


class Language(RowFilter):
    """Drops answers and texts that are not in the languages wanted; of a preference both answers count."""

    kind: Literal["language"] = "language"
    allow: tuple[str, ...] = ()
    """Codes of the languages an answer may be in; none: any."""
    same_as_prompt: bool = False
    """Whether an answer must be in the language of its question."""
    min_confidence: float = Field(0.98, gt=0.5, lt=1)
    """Least probability of all other languages together, before a piece counts as foreign."""
    min_bytes: int = Field(20, ge=1)
    """Bytes of its letters in UTF-8 that a piece must have to be looked at: five English words, seven Chinese ones."""
    max_share: float = Field(0.3, ge=0, lt=1)
    """Most of an answer, in these bytes, that may be foreign: a quotation is welcome."""

    @field_validator("allow")
    @classmethod
    def _known(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(allow) - CODES)
        if unknown:
            raise ValueError(
                f"no language that can be told: {', '.join(unknown)}; codes are those of ISO 639, such as en"
            )
        return allow

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.allow and not self.same_as_prompt:
            raise ValueError("name the languages to allow, or set same_as_prompt")
        return self

    @property
    def versions(self) -> dict[str, str]:
        return installed("py3langid")  # its model comes with it

    def verdict(self, row: Row) -> Verdict:
        """Score is the share of the answer that is foreign."""
        if self.allow:
            for answer in taught(row):
                found = self._foreign(answer, self.allow, "foreign")
                if found:
                    return found
        return (self._as_asked(row) if self.same_as_prompt else None) or KEEP

    def _as_asked(self, row: Row) -> Verdict | None:
        for asked, said in (*turns(row), *((row.question, message.content) for message in row.rejected)):
            if _SPEAKS_OF_LANGUAGE.search(asked[:_READ]):
                continue
            told = [spoken for _, _, spoken in self._told(asked) if spoken]
            likely = {code for spoken in told for code, chance in spoken.items() if chance > 1 - self.min_confidence}
            found = self._foreign(said, likely, "not_the_prompts") if likely else None
            if found:
                return found
        return None

    def _foreign(self, text: str, wanted: Iterable[str], reason: str) -> Verdict | None:
        total = foreign = 0
        shown = ""
        for piece, size, spoken in self._told(text):
            total += size
            if spoken and sum(spoken.get(code, 0.0) for code in wanted) < 1 - self.min_confidence:
                foreign += size
                shown = shown or f"{next(iter(spoken))}: {shorten(piece, 120)}"
        if not foreign or foreign <= self.max_share * total:
            return None
        return Verdict(False, reason, round(foreign / total, 4), shown)

    def _told(self, text: str) -> Iterator[tuple[str, int, dict[str, float]]]:
        """Each piece of a text with its size and the probability of each language, most likely first; empty where it is
        too short, or seems to be no language at all."""
        for piece in _pieces(_NO_PROSE.sub(" ", text[:_READ])):
            size = len("".join(_LETTER.findall(piece)).encode("utf-8", "replace"))
            spoken = dict(detector().rank(piece)) if size >= self.min_bytes else {}
            likeliest = next(iter(spoken), _NO_LANGUAGE)
            believed = likeliest != _NO_LANGUAGE and spoken[likeliest] >= _LIKELY
            yield piece, size, spoken if believed else {}


def _pieces(text: str) -> Iterator[str]:
    """Lines, the short ones put together and the long ones cut."""
    piece = ""
    for line in text.split("\n"):
        for start in range(0, len(line), _LONG):
            piece += line[start : start + _LONG] + "\n"
            if len(piece) > _SHORT:
                yield piece
                piece = ""
    if piece:
        yield piece


@cache
def detector() -> Any:
    """The model that comes with `py3langid`, giving probabilities; loading it takes half a second."""
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped, unused-ignore]

    return LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)

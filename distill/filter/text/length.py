"""A filter that drops answers and texts which are too short or too long, in tokens, words or characters.

Every answer of a conversation is measured, and of a preference both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from distill.errors import RecipeError
from distill.filter.bindings import Bindings, FilterSpec, Scope, shorten
from distill.filter.text.turns import taught
from distill.protocols import KEEP, Filter, Verdict
from distill.rows import Row
from distill.words import words

if TYPE_CHECKING:
    from tokenizers import Tokenizer


_CHARACTERS = 32
"""Characters a token that are read before an answer is known to be too long; ordinary text has three to five."""
_UTF8 = ("utf-8", "replace")
"""Half of a surrogate pair, which tokenizers refuse, counts as a question mark."""
_LETTER = re.compile(r"\w")


class Length(FilterSpec):
    """Drops answers and texts outside any of the bounds; a bound that is null is not looked at."""

    kind: Literal["length"] = "length"
    min_tokens: int | None = Field(1, ge=0)
    max_tokens: int | None = Field(2048, gt=0)
    """Tokens of the student's tokenizer, without special ones."""
    min_words: int | None = Field(None, ge=0)
    max_words: int | None = Field(None, gt=0)
    """Runs of letters and digits; characters where a script has no spaces."""
    min_chars: int | None = Field(None, ge=0)
    max_chars: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        for unit in ("tokens", "words", "chars"):
            least, most = self.bounds(unit)
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{unit} is {least}, above max_{unit}, which is {most}")
        return self

    @property
    def counts_tokens(self) -> bool:
        """Whether the student's tokenizer is needed."""
        return self.bounds("tokens") != (None, None)

    def bounds(self, unit: str) -> tuple[int | None, int | None]:
        """Least and most of a unit."""
        return getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")

    def bind(self, bindings: Bindings) -> Filter:
        """Raises: RecipeError: tokens are to be counted and there is no tokenizer."""
        if not self.counts_tokens:
            return MeasureLength(self, None)
        if bindings.tokenizer_file is None:
            raise RecipeError(
                "the length filter counts tokens, but there is no student whose tokenizer counts them",
                where="filter.length",
                hint="name a student, or set min_tokens and max_tokens to null and bound chars or words",
            )
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(bindings.tokenizer_file))
        # Some tokenizer files carry the truncation of the training they come from: everything would be short enough.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return MeasureLength(self, tokenizer)


class MeasureLength:
    """The length filter with the tokenizer in hand."""

    scope: Scope = "row"

    def __init__(self, spec: Length, tokenizer: Tokenizer | None) -> None:
        self.kind, self._spec, self._tokenizer = spec.kind, spec, tokenizer
        # Compatibility forms, into which some tokenizers bring a text, are up to eleven times as long.
        self._longer = 11 if tokenizer and tokenizer.normalizer else 1
        self._counts_words = spec.bounds("words") != (None, None)

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Score is the count that is out of bounds, of the first answer and unit that is."""
        owned = [(place, answer) for place, row in enumerate(rows) for answer in taught(row)]
        tokens = self._tokens([answer for _, answer in owned])
        verdicts = [KEEP] * len(rows)
        for (place, answer), count in zip(owned, tokens, strict=True):
            if verdicts[place].keep:
                verdicts[place] = self._verdict(answer, count)
        return verdicts

    def _tokens(self, answers: Sequence[str]) -> list[int | None]:
        """Tokens of each answer that must be counted. None for those that are within bounds at first sight, or all where
        tokens are not looked at."""
        counts: list[int | None] = [None] * len(answers)
        if self._tokenizer:
            asked = [index for index, answer in enumerate(answers) if not self._within(answer)]
            for index, count in zip(asked, self._counted([answers[index] for index in asked]), strict=True):
                counts[index] = count
        return counts

    def _within(self, answer: str) -> bool:
        """Whether no count is needed: a letter is at least one token, and a byte at most one."""
        least, most = self._spec.bounds("tokens")
        if least and (least > 1 or not _LETTER.search(answer)):
            return False
        if most is None or answer.isascii():
            return most is None or len(answer) < most
        return self._longer * len(answer.encode(*_UTF8)) < most

    def _counted(self, answers: Sequence[str]) -> list[int]:
        """Tokens of each answer; of one much too long, as many as show that (10 MB would take half a minute)."""
        assert self._tokenizer
        most = self._spec.max_tokens
        whole = [answer.encode(*_UTF8).decode() for answer in answers]
        read = [answer if most is None else answer[: _CHARACTERS * most] for answer in whole]
        counts = [len(one) for one in self._tokenizer.encode_batch_fast(read, add_special_tokens=False)]
        for index, (answer, part) in enumerate(zip(whole, read, strict=True)):
            # One token more or less may come from the cut.
            if len(part) < len(answer) and most is not None and counts[index] <= most + 1:
                counts[index] = len(self._tokenizer.encode(answer, add_special_tokens=False))
        return counts

    def _few(self, answer: str) -> bool:
        """Whether words need no count: there are more characters than words, one between two at least in ASCII."""
        least, most = self._spec.bounds("words")
        return not least and most is not None and answer.isascii() and len(answer) <= 2 * most

    def _verdict(self, answer: str, tokens: int | None) -> Verdict:
        counts = {"tokens": tokens, "chars": len(answer)}
        if self._counts_words and not self._few(answer):
            counts["words"] = len(words(answer))
        for unit, count in counts.items():
            least, most = self._spec.bounds(unit)
            if count is not None and least is not None and count < least:
                return Verdict(False, "too_short", count, f"{count} {unit}, at least {least}: {shorten(answer)}")
            if count is not None and most is not None and count > most:
                return Verdict(False, "too_long", count, f"{count} {unit}, at most {most}: {shorten(answer)}")
        return KEEP

"""A filter that drops rows with words of a list that the recipe gives: none is shipped, and none is meant by default.

A word counts as a whole word, in any case and any script. A list knows words and not what they mean: what cares for meaning
is a classifier, which a reward model's filter can load.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import model_validator

from distill.errors import SourceError
from distill.filter.bindings import Bindings, FilterSpec
from distill.protocols import KEEP, Scope, Verdict
from distill.rows import Row
from distill.words import words

Phrase = tuple[str, ...]


class Blocklist(FilterSpec):
    """Drops a row, real ones too, in which a listed word or phrase is said (`listed_word`)."""

    kind: Literal["blocklist"] = "blocklist"
    judges_real: ClassVar[bool] = True
    words: tuple[str, ...] = ()
    """Words and phrases. Of a phrase all words must follow each other; what stands between them does not count."""
    file: str | None = None
    """Reference of a text file with more of them, one a line; empty lines and those that begin with # do not count."""
    on: Literal["row", "answer"] = "row"
    """What is read: all that is said in a row, or its answer alone. Of a preference what was rejected is not read."""

    @model_validator(mode="after")
    def _something_listed(self) -> Blocklist:
        if not self.words and self.file is None:
            raise ValueError("it needs `words` or a `file`: no list comes with distill")
        if empty := [word for word in self.words if not words(word)]:
            raise ValueError(f"{empty[0]!r} has no letter or digit")
        return self

    @property
    def data(self) -> tuple[str, ...]:
        return (self.file,) if self.file is not None else ()

    @property
    def note(self) -> str:
        lists = [f"{len(self.words)} words of the recipe"] * bool(self.words) + [f"the words of {self.file}"] * bool(
            self.file
        )
        return f"the safety filter blocklist is on: {' and '.join(lists)}. It knows words, not what they mean"

    def bind(self, bindings: Bindings) -> Listed:
        """Raises:
        SourceError: the file cannot be read, or lists nothing.
        """
        listed = list(self.words)
        if self.file is not None:
            listed += _lines(bindings.open.resolved(self.file).path, self.file)
        return Listed(self.on, _by_first(listed))


@dataclass(frozen=True)
class Listed:
    """The list at work. What it costs does not grow with the list."""

    on: str
    phrases: Mapping[str, Sequence[Phrase]]
    """By their first word."""
    kind: str = "blocklist"
    scope: Scope = "row"

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """Same length, same order. Evidence is the first listed phrase of a row and where it stands."""
        return [self._verdict(row) for row in rows]

    def _verdict(self, row: Row) -> Verdict:
        for place, text in self._read(row):
            said = words(text)
            if not self.phrases.keys().isdisjoint(said):
                for phrase in self._found(said):
                    return Verdict(False, "listed_word", evidence=f"{' '.join(phrase)!r} in {place}")
        return KEEP

    def _read(self, row: Row) -> Iterator[tuple[str, str]]:
        if self.on == "answer":
            yield "the answer", row.answer
            return
        for place, message in enumerate(row.messages):
            yield f"messages[{place}]", message.content
            if message.reasoning:
                yield f"messages[{place}].reasoning", message.reasoning

    def _found(self, said: Sequence[str]) -> Iterator[Phrase]:
        for place, word in enumerate(said):
            for phrase in self.phrases.get(word, ()):
                if tuple(said[place : place + len(phrase)]) == phrase:
                    yield phrase


def _by_first(listed: Iterable[str]) -> dict[str, list[Phrase]]:
    found: defaultdict[str, list[Phrase]] = defaultdict(list)
    for phrase in dict.fromkeys(tuple(words(text)) for text in listed):
        if phrase:
            found[phrase[0]].append(phrase)
    return dict(found)


def _lines(path: Path, ref: str) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot be read as a list of words: {error}", where=ref) from error
    found = [line for line in lines if words(line) and not line.lstrip().startswith("#")]
    if not found:
        raise SourceError("lists no words", where=ref, hint="one word or phrase a line, in UTF-8")
    return found

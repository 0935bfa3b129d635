"""choices: one of several answers is right, and the one that an arm finds likeliest is its choice.

{kind: choices, source: {data: quiz.jsonl, prompt: question}, options: choices, right: answer}

answer: text      each option's text is scored, without the others in sight: good for models that are weak or were
                  never told of letters
answer: letter    the options are shown with letters, and the letters are scored
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from distill.errors import SourceError
from distill.evidence import OPTIONS, QUESTION, RIGHT
from distill.rows import Message, Row
from distill.suites.metrics import Metric
from distill.suites.sourced import Sourced
from distill.suites.suite import Ask, Judged, Measure

LETTERED = "{{ question }}\n\nAnswer with the letter of the right option alone."
Reading = Literal["letter", "index", "text"]


class Choices(Sourced):
    """Multiple choice by log-likelihood."""

    kind: Literal["choices"] = "choices"
    ASKS: ClassVar[Ask] = "choices"
    METRICS: ClassVar[tuple[str, ...]] = ("accuracy", "accuracy_norm", "brier")
    options: str | tuple[str, ...] = Field(min_length=1)
    """Column that holds a list, a Jinja template of a JSON list, or a template for each option."""
    right: str
    """Template of the right one: its letter, its place, or its text."""
    right_is: Reading | None = None
    """Which of the three; when not given what fits, and an error where two readings fit and differ."""
    first: Literal[0, 1] = 0
    """Number of the first option, where `right` is a place."""
    answer: Literal["text", "letter"] = "text"
    """What is scored: the text of each option, without the others in sight, or its letter, with all of them shown."""

    @model_validator(mode="after")
    def _columns_are_there(self) -> Self:
        if self.source.has_rows:
            raise ValueError(f"{self.source.data!r} holds rows, and options are columns: name the data they came from")
        if self.source.answer is not None:
            raise ValueError("`right` says which option is the answer, so `source.answer` cannot be given")
        return self

    @property
    def metrics(self) -> dict[str, Metric]:
        """Letters are all of one length."""
        found = super().metrics
        return {name: metric for name, metric in found.items() if self.answer == "text" or name != "accuracy_norm"}

    @property
    def around(self) -> str | None:
        return LETTERED if self.instruction is None and self.answer == "letter" else self.instruction

    @property
    def columns(self) -> Mapping[str, str]:
        if isinstance(self.options, str):
            return {OPTIONS: self.options, RIGHT: self.right}
        return {**{_name(place): one for place, one in enumerate(self.options)}, RIGHT: self.right}

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        return [self._posed(row) for row in rows]

    def _posed(self, row: Row) -> Row:
        """The row with the options as JSON, the place of the right one, and the right one as the answer."""
        found, options = dict(row.evidence), self._options(row)
        for place in range(len(self.options) if not isinstance(self.options, str) else 0):
            found.pop(_name(place), None)
        place = self._place(row, options)
        messages = list(row.prompt)
        answer = options[place]
        if self.answer == "letter":
            found[QUESTION] = messages[-1].content
            shown = "\n".join(f"{letter}. {one}" for letter, one in zip(ascii_uppercase, options, strict=False))
            messages[-1] = Message(role="user", content=f"{messages[-1].content}\n\n{shown}")
            answer = ascii_uppercase[place]
        found |= {OPTIONS: json.dumps(options, ensure_ascii=False), RIGHT: str(place)}
        messages.append(Message(role="assistant", content=answer))
        return row.model_copy(update={"kind": "chat", "messages": tuple(messages), "evidence": found})

    def _options(self, row: Row) -> list[str]:
        if isinstance(self.options, str):
            try:
                told = json.loads(row.evidence.get(OPTIONS, "[]"))
            except ValueError:
                told = None
        else:
            told = [row.evidence.get(_name(place), "") for place in range(len(self.options))]
        if not isinstance(told, list) or not all(isinstance(one, str | int | float) for one in told):
            raise self._wrong(
                row, "`options` gives no list of texts", "name a column with a list, or one column an option"
            )
        options = [str(one).strip() for one in told]
        if not all(options):
            raise self._wrong(row, "an option is empty", "there is nothing in it that a model could find likely")
        if len(options) < 2 or (self.answer == "letter" and len(options) > len(ascii_uppercase)):
            raise self._wrong(row, f"{len(options)} options cannot be chosen from", None)
        return options

    def _place(self, row: Row, options: Sequence[str]) -> int:
        """Where the right one stands, from 0."""
        told = row.evidence.get(RIGHT, "")
        readings = {
            name: place for name, place in _readings(told, options, self.first) if self.right_is in (None, name)
        }
        places = sorted(set(readings.values()))
        if not places:
            known = f"none of its {len(options)} options"
            raise self._wrong(row, f"the right one is {told[:60]!r}, {known}", "right is a letter, a place or a text")
        if len({options[place] for place in places}) > 1:
            fit = " and ".join(f"as {name} {options[place][:40]!r}" for name, place in sorted(readings.items()))
            raise self._wrong(row, f"the right one is {told[:60]!r}, which fits {fit}", "set `right_is`")
        return places[0]

    def _wrong(self, row: Row, why: str, hint: str | None) -> SourceError:
        return SourceError(f"{row.question[:80]!r}: {why}", where=self.place, hint=hint)

    def candidates(self, row: Row) -> tuple[str, ...]:
        options = _texts(row)
        return tuple(ascii_uppercase[: len(options)]) if self.answer == "letter" else options

    def choose(self, row: Row, logprobs: Sequence[float]) -> Judged:
        if not all(map(math.isfinite, logprobs)):
            return Judged(error="the log-likelihood of an option is no number")
        options, right = _texts(row), int(row.evidence[RIGHT])
        chances = softmax(logprobs)
        best = max(range(len(options)), key=lambda place: logprobs[place])
        long = max(range(len(options)), key=lambda place: logprobs[place] / len(options[place].encode()))
        values = {
            # Of two options with one text either is right.
            "accuracy": float(options[best] == options[right]),
            "accuracy_norm": float(options[long] == options[right]),
            "brier": sum((chance - (place == right)) ** 2 for place, chance in enumerate(chances)),
        }
        measures = {name: Measure(value=values[name], weight=1) for name in self.metrics}
        return Judged(measures, found=self.candidates(row)[best], confidence=chances[best])


def _texts(row: Row) -> tuple[str, ...]:
    """The texts of an item's options, whatever is scored of them."""
    return tuple(json.loads(row.evidence[OPTIONS]))


def _name(place: int) -> str:
    return f"{OPTIONS}_{place}"


def _readings(told: str, options: Sequence[str], first: int) -> list[tuple[Reading, int]]:
    """Every way in which a text names an option, with the place of that option."""
    told = told.strip()
    found: list[tuple[Reading, int]] = []
    if len(bare := told.strip("().: ").upper()) == 1 and (place := ascii_uppercase.find(bare)) in range(len(options)):
        found.append(("letter", place))
    if told.isdecimal() and (place := int(told) - first) in range(len(options)):
        found.append(("index", place))
    if told in options:
        found.append(("text", options.index(told)))
    return found


def softmax(logprobs: Sequence[float]) -> list[float]:
    """Log-likelihoods as chances that add up to 1."""
    top = max(logprobs)
    powers = [math.exp(one - top) for one in logprobs]
    return [power / sum(powers) for power in powers]

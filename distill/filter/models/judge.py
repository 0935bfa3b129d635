"""A filter by a model that reads each answer and marks it by a rubric.

The model is a teacher of the recipe, asked through its engine: what it said is stored, so that another threshold asks
nothing again. It fills in a form, a short reason and then the score; what is no such form is asked to be mended once. A
judgement that cannot be read even then is missing. It is never a score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from distill import templates
from distill.engines.teacher import MAIN
from distill.filter.bindings import Bindings, shorten
from distill.filter.models.measured import Measured, Tally
from distill.filter.opener import Opener
from distill.forms import REPAIR, Malformed, read, schema_of
from distill.protocols import Completion, Request, Sampling, Scope, Verdict
from distill.rows import Message, Row, readable

PROMPTS = Path(__file__).parent / "prompts"
VERDICT = "verdict"
FILES = (VERDICT, REPAIR)
LONGEST = 200_000
"""Characters of a row that are not even sent: no model reads them."""
RUBRIC = """Is the answer correct, does it do what was asked, is it complete and clear?
Full marks: correct and complete, nothing to mend. Middle: right in the main, with mistakes or gaps.
Lowest: wrong, beside the point, broken off or of no use."""


class Judge(Measured):
    """Drops an answer whose mark is under `min_score` (`low_score`), or that has none (`missing`)."""

    kind: Literal["judge"] = "judge"
    by: str = MAIN
    """Name of the model that judges: `teacher`, or one under `teachers`."""
    rubric: str = RUBRIC
    """What is marked, and what the marks mean."""
    scale: tuple[int, int] = (1, 5)
    """The worst mark and the best."""
    min_score: float = 4
    """Least mark that is kept."""
    samples: int = Field(1, ge=1, le=16)
    """Judgements of each answer, whose marks are averaged; more than one need a temperature."""
    temperature: float = Field(0.0, ge=0)
    max_new_tokens: int = Field(160, gt=0)
    """Room for the reason and the mark."""
    templates: dict[str, str] = {}
    """Jinja text in place of a prompt file: `verdict` (told `rubric`, `low`, `high`, `before`, `question`, `answer`,
    `evidence`) or `repair` (told `problem`, `schema`)."""

    COSTLY: ClassVar[bool] = True

    @model_validator(mode="after")
    def _possible(self) -> Self:
        low, high = self.scale
        if low >= high:
            raise ValueError(f"scale is from the worst mark to the best, not {low} to {high}")
        if not low <= self.min_score <= high:
            raise ValueError(f"min_score {self.min_score:g} is not on the scale, which is {low} to {high}")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"at temperature 0 all {self.samples} judgements are the same; raise temperature")
        for name, text in self.templates.items():
            if name not in FILES:
                raise ValueError(f"no template {name!r}; there are: {', '.join(FILES)}")
            if fault := templates.fault(text):
                raise ValueError(f"template {name!r}: {fault}")
        return self

    @property
    def asks(self) -> tuple[str, ...]:
        return (self.by,)

    @property
    def texts(self) -> dict[str, str]:
        return {name: self.templates.get(name) or templates.shipped(PROMPTS, self.kind, name) for name in FILES}

    def bind(self, bindings: Bindings) -> ByJudge:
        return ByJudge(self, bindings.open)


@dataclass(frozen=True)
class Mark:
    """One judgement: a score with its reason, or why there is none."""

    score: float | None
    reason: str


class ByJudge:
    """The filter with its model. All ranks give it the same rows and get all verdicts."""

    scope: Scope = "row"

    def __init__(self, spec: Judge, opener: Opener) -> None:
        self.kind, self._spec, self._open = spec.kind, spec, opener
        self._form = form(spec.scale)
        self._schema = schema_of(self._form)
        self._texts = spec.texts
        self._sampling = Sampling(temperature=spec.temperature, max_new_tokens=spec.max_new_tokens)
        self._tally = Tally()

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        """The score is the mark, or the mean of the marks; the evidence the reason of the first."""
        asked = {place: self._requests(row) for place, row in enumerate(rows) if _problem(row) is None}
        marks = self._marks([request for requests in asked.values() for request in requests])
        return self._tally.entered(
            [
                self._verdict([marks[request.key] for request in asked[place]])
                if place in asked
                else self._spec.unmeasured(_problem(row) or "")
                for place, row in enumerate(rows)
            ]
        )

    def notes(self) -> list[str]:
        return self._tally.notes()

    def _verdict(self, marks: Sequence[Mark]) -> Verdict:
        scores = [mark.score for mark in marks if mark.score is not None]
        if not scores:
            return self._spec.unmeasured(shorten(marks[0].reason))
        score = round(sum(scores) / len(scores), 4)
        reason = next(mark.reason for mark in marks if mark.score is not None)
        if score >= self._spec.min_score:
            return Verdict(True, score=score)
        return Verdict(False, "low_score", score, shorten(f"{score:g}: {reason}"))

    def _requests(self, row: Row) -> list[Request]:
        low, high = self._spec.scale
        question = row.question if row.kind != "text" else ""
        before = row.prompt[:-1] if question else ()
        said = self._said(
            VERDICT,
            rubric=self._spec.rubric.strip(),
            low=low,
            high=high,
            before="\n".join(f"{one.role}: {one.content}" for one in before),
            question=question,
            answer=row.answer,
            evidence=row.evidence,
        )
        return [self._request((said,), sample) for sample in range(self._spec.samples)]

    def _marks(self, requests: Sequence[Request]) -> dict[str, Mark]:
        """The mark of each request by its key: as it was first given, or once it was mended."""
        marks: dict[str, Mark] = {}
        again: dict[str, Request] = {}
        answers = self._answers(requests)
        for request in requests:
            completion = answers.get(request.key)
            try:
                marks[request.key] = self._mark(completion)
            except Malformed as malformed:
                assert completion is not None
                marks[request.key] = Mark(None, f"{malformed}: {completion.text}")
                if completion.finish != "length" and completion.text.strip():
                    again[request.key] = self._mending(request, completion, malformed)
        mended = self._answers(list(again.values()))
        for key, request in again.items():
            completion = mended.get(request.key)
            try:
                marks[key] = self._mark(completion)
            except Malformed as malformed:
                assert completion is not None
                marks[key] = Mark(None, f"{malformed}: {completion.text}")
        return marks

    def _mark(self, completion: Completion | None) -> Mark:
        """What a completion says.

        Raises:
            Malformed: there is an answer, and it is no form.
        """
        if completion is None:
            return Mark(None, "never answered")
        if completion.finish == "error":
            return Mark(None, completion.error or "the engine gave no reason")
        filled = read(completion.text, self._form).model_dump()
        return Mark(float(filled["score"]), filled["reason"])

    def _mending(self, request: Request, completion: Completion, malformed: Malformed) -> Request:
        said = Message(role="assistant", content=completion.text)
        repair = self._said(REPAIR, problem=str(malformed), schema=self._schema)
        return self._request((*request.messages, said, repair), request.sample)

    def _request(self, messages: tuple[Message, ...], sample: int) -> Request:
        return Request(messages, self._sampling, 0, sample, schema=self._schema, to=self._spec.by)

    def _said(self, name: str, **values: object) -> Message:
        own = name in self._spec.templates
        where = f"filter ({self._spec.label}): templates.{name}" if own else f"prompt file {self.kind}/{name}"
        return Message(role="user", content=readable(templates.render(self._texts[name], where, **values)))

    def _answers(self, requests: Sequence[Request]) -> Mapping[str, Completion]:
        """Of all ranks, by the request's key."""
        if not requests:
            return {}
        mine = list(self._open.engine(self._spec.by).generate(requests))
        return {one.request: one for one in self._open.context.ranks.gather(mine)}


def form(scale: tuple[int, int]) -> type[BaseModel]:
    """What a judge fills in. An engine that holds to it asks for the reason too; one that is read may leave it out."""
    low, high = scale
    config = ConfigDict(json_schema_extra={"required": ["reason", "score"]})
    return create_model("Judgement", __config__=config, reason=(str, ""), score=(int, Field(ge=low, le=high)))


def _problem(row: Row) -> str | None:
    """Why a row is not even asked about."""
    if not row.answer.strip():
        return "there is no answer"
    size = sum(len(text) for text in _texts(row))
    return f"{size} characters are more than a judge reads" if size > LONGEST else None


def _texts(row: Row) -> Iterator[str]:
    yield from (message.content for message in row.messages)
    yield from row.evidence.values()

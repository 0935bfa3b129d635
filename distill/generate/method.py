"""The seam of methods: a method offers candidates, each straight-line code that asks models and returns a row.

    def candidate(...) -> Candidate:
        request = author.ask(messages)
        completion = yield request                  # Request -> Completion
        several = yield (request, other)            # a tuple of requests, asked at once -> list of Completions
        verdict = yield Check(function)             # work that is no model's, such as running code -> its result
        score = yield Score("judge", messages)      # log-probability a model gives to the last turn -> Scored
        return author.row(request, completion, "answer", parents)

A method is one file, its prompt files, and one line in `methods.py`. It knows nothing of engines, batches, ranks or
filters; what it draws comes from the author's seed, so that the same recipe makes the same rows everywhere.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from distill import templates
from distill.generate.author import Author
from distill.protocols import Sampling
from distill.rows import Frozen, Message, Row, digest

PROMPTS = Path(__file__).parent / "prompts"
Candidate = Generator[Any, Any, Row]
"""Yields what it asks (see above), is sent what came of it, returns a row or raises `Unusable`."""


@dataclass(frozen=True)
class Check:
    """Work besides models, done in a thread, on one of the ranks: its result must be picklable."""

    run: Callable[[], Any]


@dataclass(frozen=True)
class Score:
    """How likely a model finds the last turn of a conversation."""

    by: str
    """Name of a teacher whose engine gives token probabilities."""
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Scored:
    logprob: float
    """Mean log-probability of a token of the answer, its stop token included; natural logarithm."""
    tokens: int
    error: str | None = None


@dataclass(frozen=True)
class Work:
    """What a method is given to offer candidates of one stream."""

    stream: str
    """Name of the stream: the `method` of its rows."""
    author: Author
    """The method's teacher, in its sampling."""
    cast: Mapping[str, Author]
    """Every model the recipe names, by name."""
    rows: Mapping[str, Sequence[Row]]
    """Training side of the data sets that the method reads, by name."""
    part: str = ""
    """Name that the method itself has for the stream: that of its rows, unless another method has it too."""


class OwnSampling(Frozen):
    """What a method changes of `generate.sampling`."""

    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    max_new_tokens: int | None = Field(None, gt=0)

    def over(self, sampling: Sampling) -> Sampling:
        return sampling.model_copy(update=self.model_dump(exclude_none=True))


class MethodSpec(Frozen):
    """A way to make rows as a recipe names it: the pydantic model that is its YAML is also its code."""

    kind: str
    share: float = Field(1.0, gt=0, le=1)
    """Part of `generate.rows` that this method provides."""
    teacher: str | None = None
    """Name under `teachers` of the model that writes; the recipe's `teacher` when not given."""
    sampling: OwnSampling = OwnSampling()
    """What is different from `generate.sampling`."""
    templates: dict[str, str] = {}
    """Jinja text in place of a prompt file of the method, by its name."""

    FILES: ClassVar[tuple[str, ...]] = ()
    """Names of its prompt files (see `distill/templates.py`)."""
    TAKES: ClassVar[frozenset[str]] = frozenset({"prompt", "chat"})
    """Kinds of rows it starts from."""
    MAKES: ClassVar[str] = "chat"
    """Kind of its rows."""
    SCORES: ClassVar[tuple[str, ...]] = ()
    """Names of the scores that its rows may have."""

    @property
    def name(self) -> str:
        """`answer`, or `answer@judge` where another than the recipe's teacher writes."""
        return f"{self.kind}@{self.teacher}" if self.teacher else self.kind

    @property
    def reads(self) -> tuple[str, ...]:
        """Names under `real` of the rows it starts from."""
        return ()

    def takes(self, name: str) -> frozenset[str]:  # noqa: ARG002
        """Kinds of rows that it starts from in a data set that it reads."""
        return self.TAKES

    @property
    def asks(self) -> tuple[str, ...]:
        """Names under `teachers` of models that it asks besides its own teacher."""
        return ()

    @property
    def scored_by(self) -> tuple[str, ...]:
        """Those of them that it asks for token probabilities."""
        return ()

    @property
    def several(self) -> int:
        """Answers asked to one and the same prompt, which are all alike at temperature 0."""
        return 1

    def streams(self) -> dict[str, float]:
        """Its streams, each with its part of `generate.rows`: candidates with a quota of their own."""
        return {self.name: self.share}

    @abstractmethod
    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Candidates in an order fixed by the rows and the author's seed: the first n are the same whatever n is."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its templates: its prompt files, unless the recipe may add some."""
        return self.FILES

    @model_validator(mode="after")
    def _known_templates(self) -> MethodSpec:
        for name in self.templates:
            if name not in self.files:
                there = f"there are: {', '.join(self.files)}" if self.files else "it has none"
                raise ValueError(f"{self.kind} has no template {name!r}; {there}")
            if (fault := templates.fault(self.templates[name])) is not None:
                raise ValueError(f"templates.{name} is {fault}")
        return self

    def text(self, name: str) -> str:
        """A template's text: the recipe's own, or that of the prompt file."""
        assert name in self.files, (self.kind, name)
        return self.templates[name] if name in self.templates else templates.shipped(PROMPTS, self.kind, name)

    def prompt(self, name: str, /, **values: object) -> str:
        """What a prompt file says with these values."""
        return templates.render(self.text(name), self._place(name), **values)

    def turns(self, name: str, /, **values: object) -> list[Message]:
        """The same of a prompt file that may hold several turns: the conversation that a model is to go on."""
        said = templates.turns(self.text(name), self._place(name), **values)
        return [Message.model_validate({"role": role, "content": content}) for role, content in said]

    def _place(self, name: str) -> str:
        own = name in self.templates
        return f"generate.methods ({self.name}): templates.{name}" if own else f"prompt file {self.kind}/{name}"

    @property
    def texts(self) -> dict[str, str]:
        """Every template by name: part of the key of what it makes."""
        return {name: self.text(name) for name in self.files}

    @property
    def notes(self) -> dict[str, str]:
        """What its rows tell of its templates."""
        return {"prompt_template": digest(self.texts)[:16]} if self.files else {}

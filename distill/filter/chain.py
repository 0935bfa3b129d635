"""The filters a recipe may name, in the order it names them; a row is dropped by the first that objects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.filter.contamination import Contamination
from distill.filter.duplicates import ExactDuplicate, NearDuplicate
from distill.filter.text import Finished, Length, Refusal, Repetition

AnyFilter = Annotated[
    Finished | Length | Repetition | Refusal | ExactDuplicate | NearDuplicate | Contamination,
    Field(discriminator="kind"),
]

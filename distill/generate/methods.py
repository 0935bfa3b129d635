"""The methods a recipe may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.generate.answer import Answer
from distill.generate.code import Code
from distill.generate.evolve import Evolve
from distill.generate.grid import Grid
from distill.generate.magpie import Magpie
from distill.generate.math import Math
from distill.generate.rank import Rank
from distill.generate.self_instruct import SelfInstruct

AnyMethod = Annotated[Answer | Code | Evolve | Grid | Magpie | Math | Rank | SelfInstruct, Field(discriminator="kind")]

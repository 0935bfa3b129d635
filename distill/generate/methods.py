"""The methods a recipe may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.generate.answer import Answer
from distill.generate.code import Code
from distill.generate.continuation import Continue
from distill.generate.conversation import Conversation
from distill.generate.document_qa import DocumentQA
from distill.generate.evolve import Evolve
from distill.generate.grid import Grid
from distill.generate.magpie import Magpie
from distill.generate.math import Math
from distill.generate.rank import Rank
from distill.generate.rephrase import Rephrase
from distill.generate.self_instruct import SelfInstruct

AnyMethod = Annotated[
    Answer
    | Code
    | Continue
    | Conversation
    | DocumentQA
    | Evolve
    | Grid
    | Magpie
    | Math
    | Rank
    | Rephrase
    | SelfInstruct,
    Field(discriminator="kind"),
]

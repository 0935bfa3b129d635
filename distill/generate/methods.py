"""The methods a recipe may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.generate.answer import Answer
from distill.generate.document_qa import DocumentQA
from distill.generate.self_instruct import SelfInstruct

AnyMethod = Annotated[Answer | DocumentQA | SelfInstruct, Field(discriminator="kind")]

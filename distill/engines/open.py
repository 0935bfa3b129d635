"""The engines a recipe may name, and the only place that picks one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.context import Context
from distill.engines.echo import Echo
from distill.engines.transformers import Transformers
from distill.protocols import Engine

AnyEngine = Annotated[Echo | Transformers, Field(discriminator="kind")]


def open_engine(spec: AnyEngine, model: str, context: Context) -> Engine:
    """An engine behind the answer store: what was answered before is not asked again, and no model is loaded until something is.

    Args:
        model: reference of the model, resolved in the context.
    """
    raise NotImplementedError

"""The engines a recipe may name, and the only place that picks one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from distill.context import Context, Resolved
from distill.engines.echo import Echo, EchoEngine
from distill.engines.server import Server, ServerEngine
from distill.engines.store import AnswerStore, Resumable, StoredEngine
from distill.engines.transformers import Transformers, TransformersEngine
from distill.errors import EngineError

AnyEngine = Annotated[Echo | Server | Transformers, Field(discriminator="kind")]


def scores(spec: AnyEngine) -> bool:
    """Whether the engine gives token probabilities, without loading anything."""
    return isinstance(spec, Transformers)


def open_engine(
    spec: AnyEngine,
    model: str | Resolved,
    context: Context,
    drop_layers: tuple[int, ...] = (),
    adapter: Path | None = None,
    teacher: str = "teacher",
) -> StoredEngine:
    """An engine behind the answer store: what was answered before is not asked again.

    The model is loaded only once something has to be asked. Every rank opens it, and asks it the same.

    Args:
        model: a model or a trained student, or its reference as the context resolved it.
        drop_layers: decoder layers taken out of it.
        adapter: folder of an adapter put on it.
        teacher: its name among the recipe's teachers, by which `runtime.servers` knows it.
    """
    source = context.resolved[model] if isinstance(model, str) else model
    engine: Resumable
    if isinstance(spec, Echo):
        engine = EchoEngine(source.revision, context.ranks)
    elif isinstance(spec, Server):
        engine = ServerEngine(spec, source, context, context.runtime.endpoint(teacher), adapter)
    else:
        engine = _transformers(spec, source, context, drop_layers, adapter)
    store = AnswerStore(context.cache / "answers" / engine.name)
    store.refresh()
    if store.damaged:
        context.say(f"{store.damaged} damaged lines in {store.folder} are left out; what they answered is asked again")
    return StoredEngine(engine, store, context.ranks)


def open_scorer(
    spec: AnyEngine,
    model: str | Resolved,
    context: Context,
    drop_layers: tuple[int, ...] = (),
    adapter: Path | None = None,
) -> TransformersEngine:
    """A model that scores answers; arguments as for `open_engine`. Scores are not stored: they cost one pass.

    Raises:
        EngineError: the engine gives no token probabilities.
    """
    if not isinstance(spec, Transformers):
        raise EngineError(
            f"the engine `{spec.kind}` gives no token probabilities",
            where="engine.kind",
            hint="score with `transformers`, or leave out the metrics that need a model",
        )
    source = context.resolved[model] if isinstance(model, str) else model
    return _transformers(spec, source, context, drop_layers, adapter)


def _transformers(
    spec: Transformers, source: Resolved, context: Context, drop_layers: tuple[int, ...], adapter: Path | None
) -> TransformersEngine:
    from distill.engines.models import weights_folder

    # One process converts a GGUF file, the others wait for it.
    if context.ranks.main:
        weights_folder(source, context.cache)
    context.ranks.barrier()
    return TransformersEngine(source, context, spec, drop_layers, adapter)

"""The engines a recipe may name, and the only place that picks one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from distill.context import Context, Resolved
from distill.engines.echo import Echo, EchoEngine
from distill.engines.store import AnswerStore, Resumable, StoredEngine
from distill.engines.transformers import Dtype, Transformers, TransformersEngine
from distill.protocols import Completion, Request, ScoreRequest, TokenScores

AnyEngine = Annotated[Echo | Transformers, Field(discriminator="kind")]


def open_engine(spec: AnyEngine, model: str, context: Context) -> StoredEngine:
    """An engine behind the answer store: what was answered before is not asked again.

    The model is loaded only once something has to be asked. Every rank opens it, and gives it the same requests.

    Args:
        model: reference of the model, resolved in the context.
    """
    match spec:
        case Echo():
            source = context.resolved.get(model)
            return _stored(EchoEngine(source.revision if source else model, context.ranks), context)
        case Transformers():
            _prepare(context.resolved[model], context)
            return _stored(TransformersEngine(context.resolved[model], context, spec.dtype), context)


class OpenModel:
    """One model that answers (behind the store) and scores: an arm of the comparison. Engine and Scorer."""

    def __init__(self, engine: TransformersEngine, context: Context) -> None:
        self.name, self.template, self.tokenizer = engine.name, engine.template, engine.tokenizer
        self._engine, self._stored = engine, _stored(engine, context)

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share."""
        return self._stored.generate(requests)

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        """One result per request of this rank's share."""
        return self._engine.score(requests, top_k)

    def close(self) -> None:
        """Free the model's memory."""
        self._stored.close()


def open_model(
    source: Resolved, context: Context, dtype: Dtype, drop_layers: tuple[int, ...] = (), adapter: Path | None = None
) -> OpenModel:
    """A model for evaluation. Every rank opens it.

    Args:
        source: a model, or the folder of a trained student (which knows its own layers and adapter).
        drop_layers: decoder layers taken out of it.
        adapter: folder of an adapter put on it, such as a checkpoint's.
    """
    _prepare(source, context)
    return OpenModel(TransformersEngine(source, context, dtype, drop_layers, adapter), context)


def _prepare(source: Resolved, context: Context) -> None:
    """One process converts a GGUF file, the others wait for it."""
    from distill.engines.models import weights_folder

    if context.ranks.main:
        weights_folder(source, context.cache)
    context.ranks.barrier()


def _stored(engine: Resumable, context: Context) -> StoredEngine:
    store = AnswerStore(context.cache / "answers" / engine.name)
    store.refresh()
    if store.damaged:
        context.say(f"{store.damaged} damaged lines in {store.folder} are left out; what they answered is asked again")
    return StoredEngine(engine, store, context.ranks)

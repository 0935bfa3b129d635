"""base model -> what learns: an adapter on frozen weights, whole or quantised, or all weights; and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context, Resolved
from distill.engines import adapters, full, models
from distill.engines.placement import Placement, differentiable
from distill.errors import TrainError
from distill.train import sharding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

    from distill.train.settings import Spec
    from distill.train.student import Student

ADAPTER, WEIGHTS = "adapter", "weights"
"""Folder of what was trained in a student's, and the key of `student.json` that names it."""


@dataclass(frozen=True)
class Learner:
    model: Any
    tokenizer: Tokenizer
    before: Mapping[str, float] | None = None
    """Of all weights when nothing was learnt yet, where all of them are trained."""

    @property
    def trainable(self) -> int:
        """Parameters that are trained."""
        return sum(weight.numel() for weight in self.model.parameters() if weight.requires_grad)

    def gather(self) -> dict[str, Any]:
        """What is trained, whole; asked for by all processes, of which each may hold a part."""
        return adapters.gather(self.model) if self.before is None else {}

    def save(self, folder: Path, weights: dict[str, Any]) -> None:
        """Write what is trained.

        Args:
            weights: what `gather` gave.

        Raises:
            TrainError: it is not a number, or nothing was learnt.
        """
        if self.before is None:
            adapters.save(self.model, folder, weights)
        else:
            full.save(self.model, self.tokenizer, folder, self.before)


def kind(student: Student) -> str:
    return WEIGHTS if student.lora is None else ADAPTER


def open_learner(spec: Spec, source: Resolved, start: Path | None, context: Context) -> Learner:
    """Load the student and make ready what is trained: in float32, whatever the frozen weights are.

    Args:
        start: folder of the student to go on with, instead of the base model.

    Raises:
        SourceError: a model or an adapter that cannot be read or does not fit.
        TrainError: an adapter of another student, layers that cannot be trained.
    """
    student, cache = spec.student, context.cache
    if student.lora is None and sharding.kind() != "whole":
        hint = "use multi_gpu, or LoRA"
        raise TrainError("all weights cannot be trained in shards", where="student.lora", hint=hint)
    given = _given(student, source, context)
    if student.lora is None:
        if start is not None:
            source = changed(source, path=start)
        layers = () if start else student.out
        loaded = models.load(source, cache, "float32", layers, None if start else given, as_trained=False)
        model: Any = adapters.merge(loaded.model).requires_grad_(True)
        return Learner(model, loaded.tokenizer, full.sums(model))
    placement = Placement(student.quantization, sharded=sharding.cut_later())
    loaded = models.load(source, cache, spec.train.dtype, student.out, placement=placement)
    differentiable(loaded.model)
    if folder := start / ADAPTER if start else given:
        return Learner(adapters.go_on(loaded.model, folder), loaded.tokenizer)
    lora = student.lora.model_dump()
    return Learner(adapters.attach(loaded.model, seed=spec.seed, **lora), loaded.tokenizer)


def _given(student: Student, source: Resolved, context: Context) -> Path | None:
    """The adapter that the recipe names, which a student's own file says more of than its shape."""
    if student.adapter is None:
        return None
    adapter = context.resolved[student.adapter]
    trained = models.student_file(adapter.path)
    if trained and (trained.base.revision, trained.drop_layers) != (source.revision, student.out):
        layers = f" without layers {', '.join(map(str, trained.drop_layers))}" if trained.drop_layers else ""
        raise TrainError(
            f"it was trained on {trained.base.origin}{layers}",
            where=f"student.adapter: {student.adapter}",
            hint=f"write student: {{model: {json.dumps(trained.base.ref)}, drop_layers: {list(trained.drop_layers)}}}",
        )
    return models.adapter_folder(adapter)

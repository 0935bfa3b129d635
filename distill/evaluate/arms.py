"""an arm's spec -> the model it is: where the weights lie, which layers are out, which adapter is on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from distill.context import Context, Resolved
from distill.engines import full, models
from distill.engines.open import AnyEngine, open_engine, open_scorer
from distill.engines.placement import Quantization
from distill.engines.store import StoredEngine
from distill.engines.transformers import TransformersEngine
from distill.errors import ArtifactError, DistillError


@dataclass(frozen=True)
class Arm:
    source: Resolved
    drop_layers: tuple[int, ...] = ()
    adapter: Path | None = None
    quantization: Quantization | None = None
    """Of the weights that its adapter was trained on."""

    def engine(self, spec: AnyEngine, context: Context) -> StoredEngine:
        return open_engine(spec, self.source, context, self.drop_layers, self.adapter)

    def scorer(self, spec: AnyEngine, context: Context) -> TransformersEngine:
        return open_scorer(spec, self.source, context, self.drop_layers, self.adapter)


def student(folder: Path, step: int | None, known: Iterable[Resolved] = ()) -> Arm:
    """What training left in a folder, at its end or at a checkpoint.

    Raises:
        ArtifactError: training left no student.
        DistillError: there is no such checkpoint.
    """
    trained = models.student_file(folder, known)
    if trained is None:
        raise ArtifactError("there is no student.json", where=str(folder), hint="remove the folder and train again")
    left = (trained.adapter or trained.weights) if step is None else folder / "checkpoints" / f"checkpoint-{step}"
    if left is None or not left.is_dir():
        steps = sorted(int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoints/checkpoint-*"))
        raise DistillError(
            f"there is no {left and left.name}; training kept {', '.join(map(str, steps)) or 'none'}",
            where="evaluate.checkpoints",
            hint="name steps that training keeps, or set train.checkpoint_every",
        )
    if trained.weights:
        base = trained.base
        return Arm(Resolved(base.ref, left, f"{base.revision}+{full.fingerprint(left)}"))
    return Arm(trained.base, trained.drop_layers, left, trained.quantization)


def named(
    model: str,
    drop_layers: tuple[int, ...],
    resolved: Mapping[str, Resolved],
    adapter: str | None = None,
    quantization: Quantization | None = None,
) -> Arm:
    """Teacher or base: a model that the recipe names, and the adapter it wears."""
    return Arm(
        resolved[model], drop_layers, models.adapter_folder(resolved[adapter]) if adapter else None, quantization
    )

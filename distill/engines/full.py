"""All weights of a model, trained: checked and written like an adapter is, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distill.engines import adapters
from distill.engines.quiet import quiet
from distill.errors import SourceError, TrainError
from distill.rows import digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer


def sums(model: PreTrainedModel) -> dict[str, float]:
    """The sum of each weight: what tells weights that were trained from those that were not."""
    return {name: float(weight.detach().double().sum()) for name, weight in model.named_parameters()}


def save(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path, before: Mapping[str, float]) -> None:
    """Write the model, with its tokenizer; what the folder held before is replaced.

    Args:
        before: `sums` of the weights that training began with.

    Raises:
        TrainError: a weight is not a number, or none has changed.
        ArtifactError: the disk.
    """
    bad = sorted(name for name, weight in model.named_parameters() if not weight.isfinite().all())
    if bad:
        raise TrainError(
            f"{len(bad)} weights are not numbers, {bad[0]} first",
            hint="lower train.learning_rate, or train in bfloat16 or float32",
        )
    if sums(model) == before:
        raise TrainError(
            "training changed no weight", hint="train for at least one step, at a higher train.learning_rate"
        )
    write(model, tokenizer, folder)


def write(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a model and its tokenizer as safetensors, whole or not at all.

    Raises:
        ArtifactError: the disk.
    """
    with adapters.replacing(folder, "model") as half, quiet():
        model.save_pretrained(str(half))
        tokenizer.save_pretrained(str(half))


def stored_dtype(folder: Path) -> str:
    """Of the weights in a model's folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    named = config.get("dtype") or config.get("torch_dtype")
    return named if named in ("bfloat16", "float16") else "float32"


def fingerprint(folder: Path) -> str:
    """Hash of the weights in a folder."""
    hashes = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    if not hashes:
        raise SourceError("no weights", where=str(folder), hint="train the student again")
    return digest(hashes)[:24]

"""LoRA adapters on a model: put on, written, read back. The only file that knows peft."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.engines.quiet import quiet
from distill.errors import ArtifactError, SourceError, TrainError
from distill.rows import digest

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
TRAINED = "default"
"""The adapter that is meant where a model wears several: an objective may keep a frozen copy beside it."""


def attach(
    model: PreTrainedModel | PeftModel,
    r: int,
    alpha: int,
    dropout: float,
    target_modules: str | tuple[str, ...],
    seed: int,
) -> PeftModel:
    """A fresh adapter to train: float32, B zero, A drawn from the seed. One that the model wears is merged in first.

    Args:
        r: rank.
        alpha: the update is scaled by alpha / r.
        target_modules: names of linear layers, or `all-linear` for every one but the output's.
    """
    import torch

    with quiet():
        from peft import LoraConfig, get_peft_model

    if "lm_head" in target_modules:
        raise TrainError(
            "the output layer cannot have an adapter",
            where="student.lora.target_modules",
            hint="leave lm_head out",
        )
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_modules if isinstance(target_modules, str) else list(target_modules),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            with quiet():
                return get_peft_model(merge(model), config)
        except ValueError as error:
            raise TrainError(
                f"no adapter can be put on the model: {error}",
                where="student.lora.target_modules",
                hint="name linear layers of this model (`q_proj`, `down_proj`, …) or `all-linear`",
            ) from error


def load(model: PreTrainedModel, folder: Path, trainable: bool = False) -> PeftModel:
    """The model with an adapter read from a folder, for inference unless it is to be trained further.

    Raises:
        SourceError: there is none, or it was made for another model (other layers, other widths).
    """
    from safetensors import SafetensorError, safe_open

    with quiet():
        from peft import PeftModel, get_peft_model_state_dict
    try:
        with quiet(), safe_open(folder / WEIGHTS, "pt") as file:
            given = set(file.keys())
            worn = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SourceError(
            f"no adapter that fits the model: {str(error)[:300]}", where=str(folder), hint="train the student again"
        ) from error
    missing = given ^ set(get_peft_model_state_dict(worn, save_embedding_layers=False))
    if missing:
        raise SourceError(
            f"the adapter was made for another model: {len(missing)} weights do not match, {min(missing)} first",
            where=str(folder),
            hint="give the same base model and the same drop_layers as in training",
        )
    return worn.eval()


def go_on(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The model with an adapter read from a folder, to be trained further.

    Raises:
        SourceError: see `load`.
    """
    worn = load(model, folder, trainable=True)
    for name, weight in worn.named_parameters():
        if "lora_" in name:
            weight.data = weight.data.float()
    return worn


def save(model: PeftModel, folder: Path) -> None:
    """Write the adapter, whole or not at all; what the folder held before is replaced.

    Raises:
        TrainError: it holds a weight that is not a number, or it changes nothing (every B is zero).
        ArtifactError: the disk.
    """
    from peft import get_peft_model_state_dict

    # "auto" would ask the hub for the base model's vocabulary; the embeddings are not trained.
    _check(get_peft_model_state_dict(model, save_embedding_layers=False))
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        with quiet():
            model.save_pretrained(str(half), save_embedding_layers=False, selected_adapters=[TRAINED])
        (half / "README.md").unlink(missing_ok=True)
        _sort_modules(half / "adapter_config.json")
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise ArtifactError(
            f"the adapter could not be written: {error}", where=str(folder), hint="free some disk space and run again"
        ) from error


def fingerprint(folder: Path) -> str:
    """Hash of an adapter's weights and settings: what tells two adapters apart."""
    try:
        files = [(folder / name).read_bytes() for name in ("adapter_config.json", WEIGHTS)]
    except OSError as error:
        raise SourceError(f"no adapter: {error}", where=str(folder), hint="train the student again") from error
    return digest([hashlib.sha256(file).hexdigest() for file in files])[:24]


@contextmanager
def under_autocast(model: PeftModel) -> Iterator[None]:
    """Leave dtypes to autocast inside: peft keeps a float32 copy of every input, a sixth of the memory of a training."""
    from peft.helpers import disable_input_dtype_casting

    with disable_input_dtype_casting(model):
        yield


def merge(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model with its adapter added into its weights (in float32, then rounded back); one without as it is."""
    with quiet():
        from peft import PeftModel

    if not isinstance(model, PeftModel):
        return model
    dtype = model.get_base_model().dtype
    return model.float().merge_and_unload().to(dtype)


def _sort_modules(path: Path) -> None:
    """peft writes a set in the order of the day; the same adapter shall be the same file."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _check(weights: dict[str, Any]) -> None:
    bad = sorted(name for name, weight in weights.items() if not weight.isfinite().all())
    if bad:
        raise TrainError(
            f"{len(bad)} adapter weights are not numbers, {bad[0]} first",
            hint="lower train.learning_rate, or train in bfloat16 or float32",
        )
    updates = [weight for name, weight in weights.items() if "lora_B" in name]
    if not any(weight.any() for weight in updates):
        raise TrainError("the adapter changes nothing: every lora_B is zero", hint="train for at least one step")

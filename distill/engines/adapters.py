"""LoRA adapters on a model: put on, written, read back. The only file that knows peft."""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
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
TARGETS = "student.lora.target_modules"
UNMERGED = (
    "leave quantization out, or take the model that `distill export --format merged` makes from the unquantised base"
)
TRAINED = "default"
"""The adapter that is meant where a model wears several: an objective may keep a frozen copy beside it."""


def attach(
    model: PreTrainedModel | PeftModel,
    r: int,
    alpha: int,
    dropout: float,
    target_modules: str | tuple[str, ...],
    seed: int,
    rslora: bool = False,
    dora: bool = False,
) -> PeftModel:
    """A fresh adapter to train: float32, B zero, A drawn from the seed. One that the model wears is merged in first.

    Args:
        r: rank.
        alpha: the update is scaled by alpha / r.
        target_modules: names of linear layers, or `all-linear` for every one but the output's.
        rslora: scale by alpha / √r.
        dora: train the length of each weight's columns apart from their direction.

    Raises:
        TrainError: layers that the model does not have, or that cannot have an adapter.
    """
    import torch

    with quiet():
        from peft import LoraConfig, get_peft_model

    plain = merge(model)
    if not isinstance(target_modules, str):
        _check_targets(plain, target_modules)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_modules if isinstance(target_modules, str) else list(target_modules),
        use_rslora=rslora,
        use_dora=dora,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            with quiet():
                return get_peft_model(plain, config)
        except ValueError as error:
            raise TrainError(
                f"no adapter can be put on the model: {error}", where=TARGETS, hint=_linear_layers(plain)
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
            wearing = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SourceError(
            f"no adapter that fits the model: {str(error)[:300]}", where=str(folder), hint="train the student again"
        ) from error
    missing = given ^ set(get_peft_model_state_dict(wearing, save_embedding_layers=False))
    if missing:
        raise SourceError(
            f"the adapter was made for another model: {len(missing)} weights do not match, {min(missing)} first",
            where=str(folder),
            hint="give the same base model and the same drop_layers as in training",
        )
    return wearing.eval()


def go_on(model: PreTrainedModel | PeftModel, folder: Path) -> PeftModel:
    """The model with an adapter read from a folder, to be trained further. One that it wears already is merged in first.

    Raises:
        SourceError: see `load`.
    """
    wearing = load(merge(model), folder, trainable=True)
    for weight in wearing.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return wearing


@contextmanager
def unrounded(model: Any) -> Iterator[None]:
    """What is trained is afterwards what it was: TRL's trainers round an adapter on quantised weights to bfloat16, silently."""
    trained = (
        {} if not packed(model) else {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    )
    before = {name: weight.detach().clone() for name, weight in trained.items()}
    yield
    for name, weight in trained.items():
        weight.data = before[name].to(weight.device)


def packed(model: Any) -> bool:
    """Whether a model's own weights are quantised."""
    return getattr(base(model), "quantization_method", None) is not None


def base(model: Any) -> Any:
    """The model under its adapter; one without as it is."""
    return model.get_base_model() if worn(model) else model


def worn(model: Any) -> bool:
    """Whether a model wears an adapter."""
    with quiet():
        from peft import PeftModel

    return isinstance(model, PeftModel)


def gather(model: PeftModel) -> dict[str, Any]:
    """The adapter's weights by their names in the model: whole, in float32, on the processor.

    Where the model is sharded over processes (FSDP2, ZeRO-3) all of them must ask at once: each holds a part of every weight.
    """
    return {
        name: _whole(weight) for name, weight in model.named_parameters() if "lora_" in name and f".{TRAINED}" in name
    }


def _whole(weight: Any) -> Any:
    if hasattr(weight, "full_tensor"):  # FSDP2
        return weight.detach().full_tensor().float().cpu()
    if hasattr(weight, "ds_id"):  # ZeRO-3: between steps the weight is empty, and peft would write it so
        from deepspeed import zero

        with zero.GatheredParameters([weight]):
            return weight.detach().float().cpu().clone()
    return weight.detach().float().cpu()


def save(model: PeftModel, folder: Path, weights: dict[str, Any] | None = None) -> None:
    """Write the adapter, whole or not at all; what the folder held before is replaced.

    Args:
        weights: what `gather` returned; asked for here when not given, which a model in shards does not allow.

    Raises:
        TrainError: a weight is empty or not a number, or the adapter changes nothing (every B is zero).
        ArtifactError: the disk.
    """
    from peft import get_peft_model_state_dict

    weights = gather(model) if weights is None else weights
    # "auto" would ask the hub for the base model's vocabulary; the embeddings are not trained.
    _check(get_peft_model_state_dict(model, weights, save_embedding_layers=False))
    with replacing(folder, "adapter") as half:
        with quiet():
            model.save_pretrained(
                str(half), save_embedding_layers=False, state_dict=weights, selected_adapters=[TRAINED]
            )
        (half / "README.md").unlink(missing_ok=True)
        _sort_modules(half / "adapter_config.json")


@contextmanager
def replacing(folder: Path, what: str) -> Iterator[Path]:
    """A folder beside it to write into, which takes its place when all is written.

    Raises:
        ArtifactError: the disk; `what` could not be written.
    """
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        yield half
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise ArtifactError(
            f"the {what} could not be written: {error}", where=str(folder), hint="free some disk space and run again"
        ) from error


def copy(folder: Path, to: Path, base: str, revision: str | None) -> None:
    """An adapter for others: its settings name a base that they can load.

    Args:
        base: hub id or absolute path.
        revision: commit of a hub id.
    """
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base, "revision": revision, "inference_mode": True}
    (to / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.copyfile(folder / WEIGHTS, to / WEIGHTS)


def refill(model: PeftModel, folder: Path) -> None:
    """Put saved weights into the adapter of a model in FSDP's shards: each process cuts its own out of the file."""
    import torch
    from safetensors.torch import load_file
    from torch.distributed.tensor import distribute_tensor

    saved = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                full = saved[name.replace(f".{model.active_adapter}", "")].to(weight.device, weight.dtype)
                weight.copy_(distribute_tensor(full, weight.device_mesh, weight.placements, src_data_rank=None))


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
    """The model with its adapter added into its weights (in float32, then rounded back); one without as it is.

    Raises:
        TrainError: the weights are quantised: what is added to them would be rounded away.
    """
    if not worn(model):
        return model
    if packed(model):
        raise TrainError("an adapter cannot be merged into quantised weights", where="quantization", hint=UNMERGED)
    dtype = model.get_base_model().dtype
    return model.float().merge_and_unload().to(dtype)


def _check_targets(model: PreTrainedModel, names: Sequence[str]) -> None:
    """peft leaves out what it does not find, as long as it finds one of them."""
    for name in names:
        found = [layer for path, layer in model.named_modules() if path == name or path.endswith(f".{name}")]
        if not found:
            problem = f"the model has no layer {name!r}"
        elif {model.get_output_embeddings(), model.get_input_embeddings()} & set(found):
            problem = (
                f"{name!r} is the layer of the vocabulary, which cannot have an adapter (the two of them may be one)"
            )
        else:
            continue
        raise TrainError(problem, where=TARGETS, hint=_linear_layers(model, name))


def _linear_layers(model: PreTrainedModel, near: str = "") -> str:
    """The names that could be meant."""
    of_words = (model.get_output_embeddings(), model.get_input_embeddings())
    linear = {
        path.rpartition(".")[2]
        for path, layer in model.named_modules()
        if getattr(getattr(layer, "weight", None), "ndim", 0) == 2 and layer not in of_words
    }
    close = difflib.get_close_matches(near, sorted(linear), n=3, cutoff=0.4)
    return f"name some of {', '.join(close or sorted(linear))}; or `all-linear` for all"


def _sort_modules(path: Path) -> None:
    """peft writes a set in the order of the day; the same adapter shall be the same file."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _check(weights: dict[str, Any]) -> None:
    empty = sorted(name for name, weight in weights.items() if not weight.numel())
    if empty or not weights:
        first = f", {empty[0]} first" if empty else ""
        raise TrainError(
            f"{len(empty)} of {len(weights)} adapter weights are empty{first}: they lie in shards that were not put together",
            where="runtime.launch",
            hint="train with fsdp2 or multi_gpu",
        )
    bad = sorted(name for name, weight in weights.items() if not weight.isfinite().all())
    if bad:
        raise TrainError(
            f"{len(bad)} adapter weights are not numbers, {bad[0]} first",
            hint="lower train.learning_rate, or train in bfloat16 or float32",
        )
    updates = [weight for name, weight in weights.items() if "lora_B" in name]
    if not any(weight.any() for weight in updates):
        raise TrainError("the adapter changes nothing: every lora_B is zero", hint="train for at least one step")

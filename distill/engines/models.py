"""A resolved reference -> a model in memory with its tokenizer: folder, GGUF file or student.

    cache/models/<hash>/     a GGUF file as safetensors: dequantised once (18 s), loaded in 0.3 s ever after

A student is a folder with `student.json`: a base model (which may be a student too), the layers taken out of it, and an
adapter; or weights of its own, where all were trained. Code from a model's folder is never run, and weights are read from
safetensors only.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Resolved
from distill.engines import adapters
from distill.engines.layers import drop
from distill.engines.placement import Placement, Quantization
from distill.engines.quiet import quiet
from distill.engines.template import has_template, stop_token, template_hash
from distill.errors import ArtifactError, EngineError, SourceError
from distill.rows import digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

PLAIN = Placement()
"""Whole, and in the bits of its dtype."""
CONVERSION = 1
"""Raised when a GGUF file would be converted to other numbers."""
TRAINED_ON = "roots.txt"
"""Beside student.json: the root of every prompt it was trained on, a line each."""


@dataclass(frozen=True)
class Loaded:
    model: PreTrainedModel
    """In evaluation mode, on this process's device. A PeftModel where an adapter was put on."""
    tokenizer: Tokenizer
    template: str
    """Hash of the chat template."""
    vocabulary: str
    """Hash of the tokens and their ids."""


@dataclass(frozen=True)
class StudentFile:
    """What `student.json` says of a model that distill trained."""

    base: Resolved
    drop_layers: tuple[int, ...]
    adapter: Path | None
    weights: Path | None = None
    """Folder of all its weights, instead of an adapter: nothing of its base is needed any more."""
    quantization: Quantization | None = None
    """Of the base that the adapter was trained on."""


def load(
    source: Resolved,
    cache: Path,
    dtype: str,
    drop_layers: Sequence[int] = (),
    adapter: Path | None = None,
    placement: Placement = PLAIN,
    as_trained: bool = True,
) -> Loaded:
    """A model ready to answer, to be scored with or to be trained on.

    A student comes with its adapter worn, in float32 beside the weights, as it was trained; when more is done to it
    (layers out, another adapter) its own is merged in first.

    Args:
        dtype: `bfloat16`, `float16` or `float32`, of the weights.
        drop_layers: decoder layers to take out, counted from 0.
        adapter: folder of an adapter to put on last.
        as_trained: load the base of a student in as few bits as it was trained on; else whole, so that its adapter can be
            merged in.

    Raises:
        SourceError: there is no model that can be read.
        DistillError: layers that the model does not have.
        EngineError: this machine cannot place it so.
    """
    student = student_file(source.path)
    if student and as_trained and not placement.quantization:
        placement = replace(placement, quantization=student.quantization)
    placement.check()
    model: Any
    if student and student.adapter:
        if placement.quantization and (drop_layers or adapter):
            raise EngineError(
                f"the adapter of a student cannot be merged into {placement.quantization} weights, to take out layers or "
                "put on another one",
                where=source.ref,
                hint=adapters.UNMERGED,
            )
        model = load(student.base, cache, dtype, student.drop_layers, student.adapter, placement, as_trained).model
        if drop_layers or adapter:
            model = adapters.merge(model)
    else:
        model = _read(weights_folder(source, cache), dtype, source.ref, placement)
    if drop_layers:
        drop(model, drop_layers)
    if adapter:
        model = adapters.load(model, adapter)
    tokenizer = load_tokenizer(source, cache)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise SourceError(
            f"the tokenizer has {len(tokenizer)} tokens, the model only {rows} embeddings",
            where=source.ref,
            hint="use the tokenizer that the model was trained with",
        )
    placement.settle(model)
    return Loaded(model.eval(), tokenizer, template_hash(tokenizer), vocabulary_hash(tokenizer))


def load_tokenizer(source: Resolved, cache: Path) -> Tokenizer:
    """The tokenizer alone. One without a padding token pads with its end of text: no label or mask goes by its id."""
    from transformers import AutoTokenizer

    folder = weights_folder(source, cache)
    with _reading(source.ref):
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def tokenizer_file(source: Resolved, cache: Path) -> Path:
    """`tokenizer.json` of a model, for code that counts tokens without loading torch."""
    path = weights_folder(source, cache) / "tokenizer.json"
    if not path.exists():
        raise SourceError("the model has no tokenizer.json", where=source.ref, hint="use a model with a fast tokenizer")
    return path


def weights_folder(source: Resolved, cache: Path) -> Path:
    """Folder of the weights: the model's own, a student's or its base's, or a GGUF file's copy (converted now if need be)."""
    student = student_file(source.path)
    if student:
        return student.weights or weights_folder(student.base, cache)
    if source.path.suffix == ".gguf":
        return _converted(source, cache)
    if not (source.path / "config.json").is_file():
        raise SourceError(
            f"{source.path} is not a model: it has no config.json",
            where=source.ref,
            hint="give a folder of a transformers model with safetensors weights, a .gguf file or a trained student",
        )
    return source.path


def trained_on(folder: Path) -> frozenset[str]:
    """Roots of every prompt that a student and its bases were trained on; empty for a model that distill did not train."""
    path = folder / TRAINED_ON
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()


def student_file(folder: Path, known: Iterable[Resolved] = ()) -> StudentFile | None:
    """What a folder's `student.json` says, or None where there is none.

    Args:
        known: sources of the recipe at hand. One of the base's revision is taken for it, wherever it lies by now.

    Raises:
        SourceError: it cannot be read, or its base is gone.
    """
    path = folder / "student.json"
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        base = record["base"]
        # A base within the same tree may be named relative to the student.
        resolved = Resolved(str(base["ref"]), folder / str(base["path"]), str(base["revision"]))
        resolved = next((source for source in known if source.revision == resolved.revision), resolved)
        adapter, weights = (folder / str(record[name]) if record.get(name) else None for name in ("adapter", "weights"))
        layers = tuple(map(int, record["drop_layers"]))
        student = StudentFile(resolved, layers, adapter, weights, record.get("quantization"))
        if adapter is weights:
            raise ValueError("neither an adapter nor weights")
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"not a student: {error!r}", where=str(path), hint="train the student again") from error
    if adapter and not resolved.path.exists():
        raise SourceError(
            f"the student's base model is gone: {resolved.path}", where=str(path), hint=f"bring back {resolved.ref}"
        )
    return student


def adapter_folder(source: Resolved) -> Path:
    """The adapter that a reference leads to: a folder as peft writes it, or that of a trained student.

    Raises:
        SourceError: the student has none, for all of its weights were trained.
    """
    student = student_file(source.path)
    if student and student.adapter is None:
        hint = "name it as a model"
        raise SourceError("all weights of this student were trained: it has no adapter", where=source.ref, hint=hint)
    return student.adapter if student and student.adapter else source.path


def context_length(source: Resolved, cache: Path) -> int | None:
    """Most tokens the model can read, answer included, or None where it does not say."""
    try:
        config = json.loads((weights_folder(source, cache) / "config.json").read_text(encoding="utf-8"))
        length = config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings")
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"the model's config.json cannot be read: {error}", where=source.ref) from error
    return int(length) if length else None


def stop_ids(model: PreTrainedModel, tokenizer: Tokenizer) -> set[int]:
    """Tokens that end an answer: what the model's own settings and its tokenizer say, and what a template writes."""
    own = model.generation_config.eos_token_id if model.generation_config else None
    written = stop_token(tokenizer) if has_template(tokenizer) else None
    return {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id, written} - {None}


def vocabulary_hash(tokenizer: Tokenizer) -> str:
    """Hash of the tokens and their ids; 16 hex digits."""
    return digest(sorted(tokenizer.get_vocab().items()))[:16]


def _read(folder: Path, dtype: str, ref: str, placement: Placement) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    with _reading(ref):
        model, info = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **placement.arguments(dtype),
        )
    missing = sorted(info["missing_keys"]) + sorted(map(str, info["mismatched_keys"]))
    if missing:
        # transformers would fill them with random numbers and only warn.
        raise SourceError(f"{len(missing)} weights are missing, {missing[0]} first", where=ref, hint="fetch it again")
    # What adapters and cards name as their base: the reference, not this machine's path.
    model.config._name_or_path = model.name_or_path = ref
    return model


def _converted(source: Resolved, cache: Path) -> Path:
    """The safetensors copy of a GGUF file."""
    key = digest([CONVERSION, source.revision, source.path.name])
    return made_once(cache, key, lambda folder: _convert(source, folder))


def made_once(cache: Path, key: str, write: Callable[[Path], None]) -> Path:
    """A model made from another: `cache/models/<key>/`. Two processes that make it at once agree: the second finds the first's.

    Args:
        write: fills a folder.

    Raises:
        ArtifactError: the disk does not take it.
    """
    folder = cache / "models" / key[:24]
    if folder.exists():
        return folder
    half = folder.with_name(f".{folder.name}.{socket.gethostname()}-{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        write(half)
        half.rename(folder)
    except OSError as error:
        if not folder.exists():
            raise ArtifactError(
                f"the converted model could not be written: {error}",
                where=str(folder),
                hint="free some disk space (it needs 4 bytes a weight) and run again",
            ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder


def _convert(source: Resolved, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(source.path.parent), "gguf_file": source.path.name}
    with _reading(source.ref):
        tokenizer = AutoTokenizer.from_pretrained(**where, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, local_files_only=True)
    # A model that came from GGUF refuses to be saved until it forgets that it was quantised.
    vars(model.config).pop("quantization_config", None)
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        vars(model).pop(name, None)
    tokenizer.save_pretrained(str(folder))
    with quiet():
        model.save_pretrained(str(folder))


def _sweep(folder: Path) -> None:
    """Remove what conversions that were killed on this machine left behind."""
    host = socket.gethostname()
    for half in folder.parent.glob(f".{folder.name}.{host}-*"):
        try:
            os.kill(int(half.name.rpartition("-")[2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(half, ignore_errors=True)
        except PermissionError:
            continue


@contextmanager
def _reading(ref: str) -> Iterator[None]:
    """Errors of a library that could not read a model, as one that says which model it was."""
    import torch

    try:
        with quiet():
            yield
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # what a damaged file makes a library raise is anybody's guess
        hint = "give a folder with config, tokenizer and safetensors, or a GGUF file; fetch it again if it is damaged"
        raise SourceError(f"the model cannot be read: {str(error)[:400]}", where=ref, hint=hint) from error

"""A resolved model -> what a server of each kind is told to load: a folder or a GGUF file, and the adapter to put on it.

    llama_cpp       the GGUF file itself, without adapters
    vllm            the folder, and beside it the adapter, a trained student's own too; of a GGUF file its safetensors copy
    sglang          the folder; an adapter is merged in
    transformers    the same, behind links of its own, for that server takes its sampling from the model's folder

What is merged, and what no single adapter can say (layers taken out, a base that was trained itself), is a copy in
cache/models/<hash>/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Resolved
from distill.engines import adapters, full, models
from distill.errors import EngineError, SourceError
from distill.rows import digest

if TYPE_CHECKING:
    from distill.start import Kind

MERGED = 1
"""Raised when a student would be merged to other numbers."""
OTHERS = "start `vllm`, `sglang` or `transformers`"
LOADS_ADAPTERS: tuple[Kind, ...] = ("vllm",)


@dataclass(frozen=True)
class Weights:
    model: Path
    """Absolute."""
    adapter: Path | None = None
    """Folder of a LoRA adapter."""
    rank: int = 0
    """Of the adapter."""


def weights(kind: Kind, source: Resolved, adapter: Path | None, cache: Path, links: Path) -> Weights:
    """What to load.

    Args:
        adapter: folder of an adapter that the model wears.
        links: folder that may be made for this one use, on a disk that the server's node sees.

    Raises:
        EngineError: this kind cannot serve such a model.
        SourceError: the model cannot be read.
    """
    if kind == "llama_cpp":
        return Weights(_gguf(source, adapter))
    base, worn = _apart(source, adapter)
    if base and worn and kind in LOADS_ADAPTERS and not _config(worn).get("use_dora"):  # which vLLM does not know
        worn = worn.resolve()
        return Weights(models.weights_folder(base, cache).resolve(), worn, _rank(worn))
    plain = base and not worn
    folder = (models.weights_folder(source, cache) if plain else merged(source, adapter, cache)).resolve()
    return Weights(_plain_sampling(folder, links) if kind == "transformers" else folder)


def _apart(source: Resolved, adapter: Path | None) -> tuple[Resolved | None, Path | None]:
    """A model as one that was not trained here and at most one adapter; no model where it is more than that."""
    student = models.student_file(source.path)
    if student is None or student.weights:
        return source, adapter
    if adapter or student.drop_layers or models.student_file(student.base.path):
        return None, None
    return student.base, student.adapter


def merged(source: Resolved, adapter: Path | None, cache: Path) -> Path:
    """A model and what it wears as one model, made once. In the precision of the weights below."""
    dtype = full.stored_dtype(models.weights_folder(source, cache))

    def write(folder: Path) -> None:
        loaded = models.load(source, cache, dtype, adapter=adapter, as_trained=False)
        adapters.merge(loaded.model).save_pretrained(str(folder))
        loaded.tokenizer.save_pretrained(str(folder))

    worn = adapters.fingerprint(adapter) if adapter else None
    return models.made_once(cache, digest(["merged", MERGED, source.revision, worn, dtype]), write)


def _gguf(source: Resolved, adapter: Path | None) -> Path:
    """The GGUF file of a reference; of a model in parts the first, which llama.cpp finds the others by."""
    path = source.path.absolute()
    if adapter or models.student_file(path):
        raise EngineError("llama.cpp loads no adapter in safetensors", where="teacher.engine", hint=OTHERS)
    if path.suffix == ".gguf":
        return path
    found = sorted(path.glob("*.gguf")) if path.is_dir() else []
    if not found or (len(found) > 1 and "-00001-of-" not in found[0].name):
        what = f"{len(found)} GGUF files" if found else "no GGUF file"
        raise EngineError(
            f"llama.cpp loads one GGUF file, and {path} holds {what}",
            where="teacher.model",
            hint=f"name the file itself, or {OTHERS}",
        )
    return found[0]


def _rank(adapter: Path) -> int:
    return int(_config(adapter)["r"])


def _config(adapter: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return {**config, "r": int(config["r"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"not an adapter: {error!r}", where=str(adapter), hint="train the student again") from error


def _plain_sampling(folder: Path, links: Path) -> Path:
    """The model's folder as links, with a generation_config.json of ours.

    `transformers serve` (5.23) draws as that file says and takes only temperature, top_p and lengths from a question: without
    `do_sample` in it every answer is greedy, and a model's own top_k or repetition penalty would be applied unasked.
    """
    own = folder / "generation_config.json"
    said: dict[str, object] = {}
    for path in (folder / "config.json", own):
        said |= json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    tokens = {name: value for name, value in said.items() if name.endswith("_token_id") and value is not None}
    links.mkdir(parents=True)
    for path in folder.iterdir():
        if path.name != own.name:
            (links / path.name).symlink_to(path)
    plain = {"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": 0, **tokens}
    (links / own.name).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return links

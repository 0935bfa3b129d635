"""A resolved model -> what a server of each kind is told to load: a folder or a GGUF file, and the adapter to put on it.

    llama_cpp       the GGUF file itself
    vllm            the folder, with the adapter of a trained student beside it; a GGUF file's safetensors copy
    sglang          the folder; a student is merged into one
    transformers    the same, behind links of its own, for that server takes its sampling from the model's folder

What no adapter can say (layers taken out, a base that was trained itself) is merged into a copy: cache/models/<hash>/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.context import Resolved
from distill.engines import adapters, models
from distill.errors import EngineError, SourceError
from distill.rows import digest

if TYPE_CHECKING:
    from distill.start import Kind

MERGED = 1
"""Raised when a student would be merged to other numbers."""
LOADS_ADAPTERS: tuple[Kind, ...] = ("vllm",)


@dataclass(frozen=True)
class Weights:
    model: Path
    """Absolute."""
    adapter: Path | None = None
    """Folder of a LoRA adapter."""
    rank: int = 0
    """Of the adapter."""


def weights(kind: Kind, source: Resolved, cache: Path, links: Path) -> Weights:
    """What to load.

    Args:
        links: folder that may be made for this one use, on a disk that the server's node sees.

    Raises:
        EngineError: this kind cannot serve such a model.
        SourceError: the model cannot be read.
    """
    if kind == "llama_cpp":
        return Weights(_gguf(source))
    student = models.student_file(source.path)
    if student and kind in LOADS_ADAPTERS and not student.drop_layers and not models.student_file(student.base.path):
        adapter = student.adapter.resolve()
        return Weights(models.weights_folder(student.base, cache).resolve(), adapter, _rank(adapter))
    folder = (merged(source, cache) if student else models.weights_folder(source, cache)).resolve()
    return Weights(_plain_sampling(folder, links) if kind == "transformers" else folder)


def merged(source: Resolved, cache: Path) -> Path:
    """A student as one model without an adapter, made once. In the precision of the weights it was trained on."""
    student = models.student_file(source.path)
    assert student is not None
    dtype = _dtype(models.weights_folder(source, cache))

    def write(folder: Path) -> None:
        loaded = models.load(source, cache, dtype)
        adapters.merge(loaded.model).save_pretrained(str(folder))
        loaded.tokenizer.save_pretrained(str(folder))

    return models.made_once(cache, digest(["merged", MERGED, source.revision, dtype]), write)


def _gguf(source: Resolved) -> Path:
    """The GGUF file of a reference; of a model in parts the first, which llama.cpp finds the others by."""
    path = source.path.absolute()
    if path.suffix == ".gguf":
        return path
    found = sorted(path.glob("*.gguf")) if path.is_dir() else []
    if not found or (len(found) > 1 and "-00001-of-" not in found[0].name):
        what = f"{len(found)} GGUF files" if found else "no GGUF file"
        raise EngineError(
            f"llama.cpp loads one GGUF file, and {path} holds {what}",
            where="teacher.model",
            hint="name the file itself, or start `vllm`, `sglang` or `transformers`, which load safetensors",
        )
    return found[0]


def _rank(adapter: Path) -> int:
    try:
        return int(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"not an adapter: {error!r}", where=str(adapter), hint="train the student again") from error


def _dtype(folder: Path) -> str:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    named = config.get("dtype") or config.get("torch_dtype")
    return named if named in ("bfloat16", "float16") else "float32"


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

"""a run's student -> a folder that others load: an adapter beside a base that loads, or one model with all in its weights.

    OUT/                                             adapter                          merged
      adapter_config.json  adapter_model.safetensors   x
      base/                                            where no published model is it
      config.json  model.safetensors  …                                                x
      tokenizer, chat template, generation_config      x                                x
      README.md  LICENSE.md  LICENSE*  licences/       x                                x
      export.json                                      x                                x

export.json    what it is, how far its logits are from the student's own on training rows, and the hash of every file
README.md      says what may be done with it, by the recipe's `use`, what its owner accepted and his own entries

The adapter names its base by hub id where that is the base, else by absolute path: peft and vLLM look for a relative one
in the folder they are started in. A base with layers taken out, one that was trained itself and one that came from a
GGUF file is written as `base/`. What was trained on quantised weights is exported for the whole ones.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill import card_terms, cards, intent
from distill.artifacts import sealed
from distill.context import Resolved
from distill.errors import ArtifactError, DistillError, SourceError
from distill.load import load_recipe
from distill.rows import Row, read_rows
from distill.sources import references
from distill.sources.content import hashed
from distill.terms import shipping
from distill.terms.entry import Form
from distill.terms.input import Input
from distill.terms.joined import joined
from distill.workspace import RESOLVED, reopen

if TYPE_CHECKING:
    from distill.engines.models import Loaded, StudentFile

Format = Literal["adapter", "merged"]
FILE = "export.json"
ROWS = 8
"""Training rows that the logits are compared on."""
COMMIT = re.compile("[0-9a-f]{40}")
"""Revision of a model on the hub."""
KNOWN = "exports.jsonl"
"""File of a run folder: what was exported from it, and where to."""


def export(
    run: Path,
    out: Path,
    cache: Path,
    node: str | None = None,
    step: int | None = None,
    form: Format | None = None,
    stays: bool = True,
) -> str:
    """Write the student of a run, whole or not at all; a few lines about it.

    Args:
        node: of the training; the last one when not given.
        step: a checkpoint instead of the end.
        form: an adapter where there is one, when not given.
        stays: the folder is kept, and the run remembers it.

    Raises:
        DistillError: `out` is there already, or the student cannot be written in that form.
        SourceError: no such run, training or checkpoint.
    """
    out = out.absolute()
    if out.exists():
        raise DistillError("it is there already", where=str(out), hint="name a new folder, or remove that one")
    source = student_of(run, cache, node, step)
    half = out.with_name(f".{out.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        half.mkdir(parents=True)
        record = _write(source, run, half, out, cache, form)
        half.rename(out)
        if stays:
            remember(run, str(out), record["student"], record["format"])
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error}", where=str(out), hint="name a place with room") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return _said(out, record)


def student_of(run: Path, cache: Path, node: str | None, step: int | None) -> Resolved:
    """The student of a run.

    Args:
        node: of the training; the last one when not given.
        step: a checkpoint instead of the end.

    Raises:
        SourceError: no such run, training or checkpoint.
    """
    if not (run / RESOLVED).is_file():
        raise SourceError("not a run folder", where=str(run), hint="name a run: `distill run RECIPE` makes it")
    node = node or load_recipe(run / RESOLVED).train_names[-1]
    at = "" if step is None else f"@{step}"
    return references.resolve(f"run:{run.name}/{node}{at}", "model", run, run.absolute().parent, cache)


def published(student: StudentFile) -> bool:
    """Whether the base of a student's adapter is a model of the hub as it is there."""
    from distill.engines import models

    changed = student.drop_layers or models.student_file(student.base.path) or student.base.path.suffix == ".gguf"
    return not changed and bool(COMMIT.fullmatch(student.base.revision))


def _rows(run: Path) -> list[Row]:
    """A few rows that were trained on."""
    path = run / "3-mix" / "train.jsonl"
    if not path.is_file():
        raise SourceError("the run's training rows are gone", where=str(path), hint="run its recipe again")
    rows = [row for row, _ in zip(read_rows(path), range(ROWS), strict=False)]
    pairs = path.with_name("preference.jsonl")
    if rows or not pairs.is_file():
        return rows
    chosen = (row.model_copy(update={"kind": "chat", "rejected": ()}) for row in read_rows(pairs))
    return [row for row, _ in zip(chosen, range(ROWS), strict=False)]


def remember(run: Path, out: str, of: str, form: Form) -> None:
    """Note in the run what left it and where to, so that it is known what to take back where a source is withdrawn."""
    known = {"out": out, "student" if form != "rows" else "rows": of, "format": form}
    with contextlib.suppress(OSError), (run / KNOWN).open("a", encoding="utf-8") as file:
        file.write(json.dumps(known) + "\n")


def seal(folder: Path) -> None:
    """Write the size and hash of every file into `export.json`, as they are now."""
    path = folder / FILE
    record = json.loads(path.read_text(encoding="utf-8"))
    written = sorted(one for one in folder.rglob("*") if one.is_file() and one != path)
    sizes = {one.relative_to(folder).as_posix(): hashed(one) for one in written}
    record["files"] = {name: {"bytes": size, "sha256": found} for name, (size, found) in sizes.items()}
    path.write_text(json.dumps(sealed(record), indent=2) + "\n", encoding="utf-8")


def _write(source: Resolved, run: Path, folder: Path, out: Path, cache: Path, form: Format | None) -> dict[str, Any]:
    """Everything, into `folder`, which will be `out`."""
    from distill.engines import full, models
    from distill.engines.difference import difference, logits
    from distill.tokenise.encode import encode_row

    student = models.student_file(source.path)
    assert student is not None  # a run's reference that is none was refused
    form = form or ("adapter" if student.adapter else "merged")
    own_dtype = full.stored_dtype(models.weights_folder(source, cache))
    own = models.load(source, cache, own_dtype)
    encoded = [encode_row(own.tokenizer, row) for row in _rows(run)]
    before = logits(own.model, encoded)
    del own  # its memory is free before the next is loaded
    made = _write_adapter if form == "adapter" else _write_merged
    base, dtype, other = made(source, student, folder, out, cache)
    said = json.loads((source.path / "student.json").read_text(encoding="utf-8"))
    record = {
        "student": source.origin,
        "format": form,
        "base": base,
        "dtype": dtype,
        **{name: said.get(name) for name in ("drop_layers", "quantization", "template", "depth", "terms")},
        "difference": asdict(difference(before, logits(other, encoded))),
    }
    _write_notes(source, folder, record, said, run, cache)
    (folder / FILE).write_text(json.dumps(record), encoding="utf-8")
    seal(folder)
    return record


def _write_merged(source: Resolved, student: StudentFile, folder: Path, _: Path, cache: Path) -> tuple[None, str, Any]:
    """One model, in the precision of the base that it was made from; read again from the files."""
    from distill.engines import full, models

    there = student.base if student.base.path.exists() else source
    dtype = full.stored_dtype(models.weights_folder(there, cache))
    _write_model(source, folder, cache, dtype)
    return None, dtype, models.load(Resolved("merged", folder, ""), cache, dtype).model


def _write_adapter(
    source: Resolved, student: StudentFile, folder: Path, out: Path, cache: Path
) -> tuple[str, str, Any]:
    """The adapter, and its base where nothing that is published is it; put together again from the files."""
    from distill.engines import adapters, full, models

    if student.adapter is None:
        hint = "--format merged"
        raise DistillError("all weights of the student were trained: it has no adapter", where=source.ref, hint=hint)
    base, commit = student.base, None
    there = models.weights_folder(base, cache)
    dtype = full.stored_dtype(there)
    if student.drop_layers or models.student_file(base.path) or base.path.suffix == ".gguf":
        _write_model(base, folder / "base", cache, dtype, student.drop_layers)
        named, there = str(out / "base"), folder / "base"
    elif published(student):
        named, commit = base.ref, base.revision
    else:
        named = str(there.resolve())
    adapters.copy(student.adapter, folder, named, commit)
    _write_words(source, folder, cache)
    loaded = models.load(Resolved(named, there, ""), cache, dtype, adapter=folder)
    _write_stops(loaded, folder)
    return named, dtype, loaded.model


def _write_model(source: Resolved, folder: Path, cache: Path, dtype: str, drop_layers: tuple[int, ...] = ()) -> None:
    """A model with what it wears merged in, its tokenizer and what ends its answers."""
    from distill.engines import adapters, models
    from distill.engines.quiet import quiet

    loaded = models.load(source, cache, dtype, drop_layers, as_trained=False)
    with quiet():
        adapters.merge(loaded.model).save_pretrained(str(folder))
    _write_words(source, folder, cache)
    _write_stops(loaded, folder)


def _write_words(source: Resolved, folder: Path, cache: Path) -> None:
    from distill.engines import models

    models.load_tokenizer(source, cache).save_pretrained(str(folder))


def _write_stops(loaded: Loaded, folder: Path) -> None:
    """`generation_config.json`: the model's own, with every token that ends an answer."""
    from distill.engines import models

    path = folder / "generation_config.json"
    config = loaded.model.generation_config
    said = config.to_diff_dict() if config else {}
    said |= {"eos_token_id": sorted(models.stop_ids(loaded.model, loaded.tokenizer))}
    path.write_text(
        json.dumps({**said, "pad_token_id": loaded.tokenizer.pad_token_id}, indent=2) + "\n", encoding="utf-8"
    )


def _write_notes(
    source: Resolved, folder: Path, record: dict[str, Any], said: dict[str, Any], run: Path, cache: Path
) -> None:
    """The model card with what may be done with it, and the licences that must travel."""
    at = next(path for path in (source.path, *source.path.parents) if (path / "README.md").is_file())
    card = cards.exported((at / "README.md").read_text(encoding="utf-8"), record)
    workspace = reopen(run, cache)
    recipe, known = workspace.recipe, intent.registry(workspace)
    carried = [Input(one["role"], one["origin"], tuple(one["terms"])) for one in said.get("made_from", ())]
    went_in = [one for one in joined(carried, intent.went_in(workspace)) if one.learnt]
    base = next((one.origin for one in carried if one.role == "base weights"), "")  # its own comes first
    parts = shipping.parts(went_in, {base: Path(said["base"]["path"])})
    form: Form = "merged" if record["format"] == "merged" or (folder / "base").is_dir() else "adapter"
    name, told = recipe.terms.name or recipe.name, recipe.terms.accept
    section = card_terms.section(parts, known, (form,), name, told, recipe.use)
    own = {name: text for part in parts if part.input.origin == base for name, text in part.found.files.items()}
    shipping.write(folder, {**own, **shipping.shipped(parts, (form,), known)})
    (folder / "README.md").write_text(card_terms.replaced(card, section), encoding="utf-8")


def _said(out: Path, record: dict[str, Any]) -> str:
    apart = record["difference"]
    whole = f" (it was trained on {record['quantization']} weights)" if record["quantization"] else ""
    return "\n".join(
        [
            f"{record['format']} of {record['student']}, {record['dtype']}: {out}",
            *([f"  base  {record['base']}"] if record["base"] else []),
            f"  its logits and the student's own{whole}, at {apart['tokens']} tokens of {apart['rows']} training rows:",
            f"  largest difference {apart['max_abs']:.2g}, mean {apart['mean_abs']:.2g}, KL {apart['kl']:.2g} nats, "
            f"the same likeliest token at {apart['agreement']:.1%}",
        ]
    )

"""checkpoint-N/ folders: whole or absent, and no bigger than they must be.

    checkpoints/checkpoint-20/
      adapter_config.json  adapter_model.safetensors    the student at that step, kept for good; where all weights are
                                                        trained, config, tokenizer and model.safetensors instead
      student.json                                      what it is an adapter of; written when training is done
      optimizer.pt  scheduler.pt  rng_state*.pth  …     to go on from; only in the two newest, until training is done
      complete.json                                     written last: without it, or with other sizes, it does not count;
                                                        says what it was trained with

A finished run cannot be prolonged from its state: another number of steps is another schedule, hence another training.
So the state goes when training is done, and what is left is a student per step.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

MARKER, STUDENT = "complete.json", "student.json"
KEPT = (".safetensors", ".json", ".jinja", ".model", ".txt")
"""Ends of the names of a student's files."""
STATE = ("trainer_state.json",)
"""A name that ends so too, and goes with the state."""
RESUMABLE = 2
"""Newest checkpoints that keep their state: the second for when a disk lost the first."""


def folder_of(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"checkpoint-{step}"


def step_of(folder: Path | None) -> int:
    """Steps that were done when it was written; none without a checkpoint."""
    return int(folder.name.rpartition("-")[2]) if folder else 0


def seal(folder: Path, record: dict[str, Any]) -> None:
    """Mark a folder that is written wholly as a checkpoint that training can go on from.

    Args:
        record: what is to be known of it: `step`, `planned` (False for one that only a signal asked for), …
    """
    _mark(folder, {**record, "resumable": True})


def marker(folder: Path) -> dict[str, Any] | None:
    """What `complete.json` says, or None where the folder is not a whole checkpoint."""
    try:
        record: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in record["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if whole else None


def whole(checkpoints: Path) -> list[Path]:
    """All whole checkpoints, first step first."""
    found = [path for path in checkpoints.glob("checkpoint-*") if marker(path)]
    return sorted(found, key=step_of)


def last_whole(checkpoints: Path) -> Path | None:
    """The newest checkpoint that training can go on from."""
    return next((path for path in reversed(whole(checkpoints)) if (marker(path) or {}).get("resumable")), None)


def sweep(checkpoints: Path) -> None:
    """Remove what a killed run left half written, and checkpoints after the one that training goes on from."""
    step = step_of(last_whole(checkpoints))
    keep = [path for path in whole(checkpoints) if step_of(path) <= step]
    for path in (*checkpoints.glob("checkpoint-*"), *checkpoints.glob(".checkpoint-*")):
        if path not in keep:
            shutil.rmtree(path)


def strip_older(checkpoints: Path) -> None:
    """Take the state from all but the newest RESUMABLE."""
    for path in whole(checkpoints)[:-RESUMABLE]:
        if not drop_unplanned(path):
            strip(path)


def drop_unplanned(folder: Path) -> bool:
    """Remove a checkpoint that only a signal asked for: an undisturbed training has none there. False for another."""
    unplanned = not (marker(folder) or {"planned": True})["planned"]
    if unplanned:
        shutil.rmtree(folder)
    return unplanned


def take(folder: Path, to: Path) -> None:
    """The weights of a checkpoint as a folder of their own, whole or not at all; what was there before is replaced.

    The files are the same ones, since with all weights trained a copy would be as large again, and stay when the training
    takes its own away. Nothing is ever written into them: a new file takes the place of an old one.

    Raises:
        OSError: they went away meanwhile.
    """
    half = to.with_name(f".{to.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for path in folder.iterdir():
        if _kept(path.name) and path.name not in (MARKER, STUDENT):
            _link(path, half / path.name)
    shutil.rmtree(to, ignore_errors=True)
    half.rename(to)


def _link(path: Path, copy: Path) -> None:
    try:
        copy.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(path, copy)


def strip(folder: Path) -> None:
    """Leave the student of a whole checkpoint. It is whole at every moment of this."""
    record = marker(folder)
    if not record or not record["resumable"]:
        return
    _mark(folder, {**record, "resumable": False})
    for path in folder.iterdir():
        if not _kept(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _kept(name: str) -> bool:
    return name.endswith(KEPT) and name not in STATE


def _mark(folder: Path, record: dict[str, Any]) -> None:
    names = [
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MARKER
    ]
    if not record["resumable"]:
        names = [name for name in names if _kept(name)]
    record["files"] = {name: (folder / name).stat().st_size for name in sorted(names)}
    half = folder / f".{MARKER}"
    half.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    half.replace(folder / MARKER)

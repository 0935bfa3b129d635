"""checkpoint-N/ folders: whole or absent, and no bigger than they must be.

    checkpoints/checkpoint-20/
      adapter_config.json  adapter_model.safetensors    the student at that step, kept for good
      student.json                                      what it is an adapter of; written when training is done
      optimizer.pt  scheduler.pt  rng_state*.pth  …     to go on from; only in the two newest, until training is done
      complete.json                                     written last: without it, or with other sizes, it does not count

A finished run cannot be prolonged from its state: another number of steps is another schedule, hence another training.
So the state goes when training is done, and what is left is an adapter per step.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

MARKER = "complete.json"
KEPT = ("adapter_config.json", "adapter_model.safetensors", "student.json", MARKER)
RESUMABLE = 2
"""Newest checkpoints that keep their state: the second for when a disk lost the first."""


def folder_of(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"checkpoint-{step}"


def seal(folder: Path, step: int, loss: float, template: str, world: int) -> None:
    """Mark a folder that is written wholly as a checkpoint that training can go on from."""
    record = {"step": step, "loss": loss, "template": template, "processes": world, "resumable": True}
    _mark(folder, record)


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
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def last_whole(checkpoints: Path) -> Path | None:
    """The newest checkpoint that training can go on from."""
    return next((path for path in reversed(whole(checkpoints)) if (marker(path) or {}).get("resumable")), None)


def sweep(checkpoints: Path) -> None:
    """Remove what a killed run left half written, and checkpoints after the one that training goes on from."""
    last = last_whole(checkpoints)
    step = int(last.name.rpartition("-")[2]) if last else 0
    keep = [path for path in whole(checkpoints) if int(path.name.rpartition("-")[2]) <= step]
    for path in (*checkpoints.glob("checkpoint-*"), *checkpoints.glob(".checkpoint-*")):
        if path not in keep:
            shutil.rmtree(path)


def strip_older(checkpoints: Path) -> None:
    """Take the state from all but the newest RESUMABLE."""
    for path in whole(checkpoints)[:-RESUMABLE]:
        strip(path)


def strip(folder: Path) -> None:
    """Leave the adapter of a whole checkpoint. It is whole at every moment of this."""
    record = marker(folder)
    if not record or not record["resumable"]:
        return
    _mark(folder, {**record, "resumable": False})
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _mark(folder: Path, record: dict[str, Any]) -> None:
    names = [
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MARKER
    ]
    if not record["resumable"]:
        names = [name for name in names if name in KEPT]
    record["files"] = {name: (folder / name).stat().st_size for name in sorted(names)}
    half = folder / f".{MARKER}"
    half.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    half.replace(folder / MARKER)

"""What commands have in common: where runs and the cache are, how many of something, which run is meant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from distill.errors import SourceError
from distill.load import load_recipe
from distill.workspace import RESOLVED


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Callable[..., None], text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: ./runs)")
    cache = Path(os.environ.get("DISTILL_CACHE", "cache"))
    command.add_argument(
        "--cache",
        type=Path,
        default=cache,
        help="folder of finished stages (default: $DISTILL_CACHE, ./cache)",
    )
    command.set_defaults(command=run, parser=command)
    return command


def count(text: str) -> int:
    """How many of something are wanted."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def run_folder(name: str, runs: Path) -> Path:
    """The folder of a run by its name, its path, or its recipe."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        path = runs / load_recipe(path).name
    found = next((folder for folder in (path, runs / name) if folder.is_dir()), None)
    if found is None:
        there = (
            ", ".join(sorted(folder.name for folder in runs.iterdir() if folder.is_dir())) if runs.is_dir() else "none"
        )
        raise SourceError(f"no run {name!r}", where=str(runs), hint=f"runs here: {there or 'none'}")
    if found.suffix in (".generations", ".sweep") and not (found / RESOLVED).is_file():
        page = next((path for path in (found / "report.html", found / "sweep.html") if path.is_file()), None)
        cells = sorted(path.name for path in found.iterdir() if path.is_dir())
        raise SourceError(
            "a laboratory of many runs, and not a run",
            where=str(found),
            hint=f"its report: {page or 'not there yet'}" + (f"; one of its runs: {found / cells[0]}" if cells else ""),
        )
    return found

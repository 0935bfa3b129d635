"""name and options -> an executor of datatrove, or an error in words: it checks nothing itself and would fail hours later."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

from distill.engines.serving.slurm import check_submit
from distill.errors import LaunchError

EXECUTORS = {
    "local": ("datatrove.executor.local", "LocalPipelineExecutor", "datatrove"),
    "slurm": ("datatrove.executor.slurm", "SlurmPipelineExecutor", "datatrove"),
    "ray": ("datatrove.executor.ray", "RayPipelineExecutor", "datatrove ray"),
}
"""Module, class and what must be installed."""
OURS = ("pipeline", "tasks", "logging_dir", "depends", "skip_completed", "local_tasks", "local_rank_offset")
"""What an executor is told besides: which part of the work is whose."""
TYPES: dict[str, type] = {"int": int, "bool": bool, "str": str, "dict": dict}
WORDS = {
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "dict": "a mapping, which only Python can give",
}


def executor(name: str) -> Any:
    """The class.

    Raises:
        LaunchError: datatrove or the scheduler is not on this machine.
    """
    module, cls, packages = EXECUTORS[name]
    hint = f"pip install {packages}"
    try:
        if name == "ray":
            importlib.import_module("ray")
        found = getattr(importlib.import_module(module), cls)
    except ImportError as error:
        raise LaunchError(f"cannot be loaded: {error}", where=f"--executor {name}", hint=hint) from error
    if name == "slurm":
        check_submit("--executor slurm", "submit from a login node of the cluster, or take --executor local")
    return found


def arguments(name: str, kind: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the executor's class takes them, and the environment of this process for one that Slurm starts elsewhere.

    Raises:
        LaunchError: an option that it does not know, of another type, or that is not a user's.
    """
    known = inspect.signature(kind).parameters
    told = {option: _checked(option, value, known, kind.__name__) for option, value in options.items()}
    activate = Path(sys.prefix) / "bin" / "activate"
    ours = {"venv_path": str(activate)} if name == "slurm" and activate.is_file() else {}
    return {**ours, **told}


def _checked(option: str, value: Any, known: Mapping[str, inspect.Parameter], kind: str) -> Any:
    where = f"--option {option}"
    if option in OURS:
        raise LaunchError("is not for you to say", where=where, hint="--tasks says how many tasks there are")
    if option not in known:
        there = ", ".join(name for name in known if name not in OURS)
        raise LaunchError(f"datatrove's {kind} has no such option", where=where, hint=f"there are: {there}")
    said, default = known[option].annotation, known[option].default
    named = said if isinstance(said, str) else getattr(said, "__name__", "")
    wanted = named.partition("|")[0].strip()
    if wanted == "str" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if wanted in TYPES and type(value) is not TYPES[wanted]:
        raise LaunchError(f"{value!r} is not {WORDS[wanted]}", where=where)
    least = 0 if default == 0 else 1
    if wanted == "int" and value < least and value != default:
        raise LaunchError(f"{value} is less than {least}", where=where)
    if option == "start_method" and value not in get_all_start_methods():
        raise LaunchError(f"no {value!r}; there are: {', '.join(get_all_start_methods())}", where=where)
    return value

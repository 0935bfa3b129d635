"""a name -> the harness' tasks with their data; those that cannot be asked or paired here are refused, each with why."""

from __future__ import annotations

import difflib
import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.engines.quiet import quiet
from distill.errors import DistillError, SourceError

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager

    Tasks = Sequence[ConfigurableTask]

INSTALL = "pip install 'distill[eval]'"


@lru_cache(maxsize=16)
def load(name: str, include: Path | None, revision: str, shots: int | None) -> Tasks:  # noqa: ARG001
    """The tasks that go by a name: one, or those of a group or a tag.

    Args:
        include: folder of task files beside those of the harness.
        revision: of that folder; another one is read anew.
        shots: examples before each question, in place of the task's own number.

    Raises:
        SourceError: see `LmEval.load`.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise SourceError("lm-evaluation-harness is not installed", where="evaluate.suites: lm_eval", hint=INSTALL)
    with reading(name), chdir(include) if include else nullcontext():
        manager = _manager(name, include)
        loaded = manager.load([name])["tasks"]
    tasks = [loaded[each] for each in sorted(loaded)]
    for task in tasks:
        if reason := _unfit(task):
            raise SourceError(f"the task {task.task_name} {reason}", where=f"evaluate.suites: {name}")
        _set_shots(task, shots)
    return tuple(tasks)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """The harness at work without its remarks; what it fails at, said of the task."""
    log = logging.getLogger("lm_eval")
    before = log.level
    log.setLevel(logging.CRITICAL)
    where = f"evaluate.suites: {name}"
    try:
        with quiet():
            yield
    except (DistillError, MemoryError):
        raise
    except ImportError as error:
        hint = f"pip install 'lm-eval[{name}]', or what it names"
        raise SourceError(f"a package is missing that the task needs: {error}", where=where, hint=hint) from error
    except Exception as error:  # of the harness, of datasets, or of a task file's own code
        kind = type(error).__name__
        offline = "Offline" in kind or "Connection" in kind or "couldn't find" in str(error).lower()
        help_ = "its data are on a hub: run once where there is a network" if offline else None
        if "out of memory" in str(error).lower():
            help_ = "lower runtime.batch_tokens"
        raise SourceError(f"lm-evaluation-harness: {kind}: {str(error)[:400]}", where=where, hint=help_) from error
    finally:
        log.setLevel(before)


def _manager(name: str, include: Path | None) -> TaskManager:
    """Who knows the name. The harness' own files are thousands, and are looked through where the name is not among ours."""
    from lm_eval.tasks import TaskManager

    if include is not None:
        own = TaskManager(include_path=str(include), include_defaults=False)
        if name in own.all_tasks:
            return own
    manager = TaskManager(include_path=str(include) if include else None)
    if name not in manager.all_tasks:
        near = ", ".join(difflib.get_close_matches(name, manager.all_tasks, n=3, cutoff=0.6))
        raise SourceError(
            f"lm-evaluation-harness has no task {name!r}; nearest there: {near or 'none'}",
            where="evaluate.suites: lm_eval",
            hint="`lm-eval ls tasks` lists them; a folder of your own goes under `include`",
        )
    return manager


def _unfit(task: Any) -> str | None:
    """Why a task cannot be asked here."""
    from lm_eval.api.task import ConfigurableTask

    from distill.suites.harness.scores import metrics

    if not isinstance(task, ConfigurableTask):
        return "is a program of its own, of which nobody can tell what it asks"
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return "asks nothing: it measures how likely whole texts are, and no item has a score of its own"
    if getattr(task, "UNSAFE_CODE", False):
        return "runs what models write without a sandbox; the suites human_eval and programs run it in one"
    if getattr(task, "MULTIMODAL", False):
        return "shows pictures or sound"
    if not metrics([task]):
        return "has no score that is a mean over its items"
    return None


def _set_shots(task: ConfigurableTask, shots: int | None) -> None:
    """As the harness does it: a task without examples is left so."""
    own = task.get_config("num_fewshot")
    if shots and own == 0:
        raise SourceError(
            f"the task {task.task_name} says `num_fewshot: 0`, which the harness never changes",
            where="evaluate.suites: lm_eval",
            hint="leave out `shots` for this task: name it in an entry of its own",
        )
    task.set_config(key="num_fewshot", value=own or 0 if shots is None else shots)

"""checkpoints of a run, as its training writes them -> each as the arm `student@STEP`, in the cache that all machines share.

It runs beside the training, in a process, on a GPU or on a node of its own, and stops nothing: it reads what is sealed,
through links that stay when the training takes its files away. Key and result are those of `evaluate.checkpoints`, so that
a recipe which names the checkpoint later finds it done. Any number of watchers share the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from distill import artifacts, evaluated
from distill.errors import DistillError
from distill.evaluated import arm, training_folder, training_of
from distill.launch import start
from distill.train import checkpoints, result
from distill.train.settings import Spec
from distill.workspace import RESOLVED, Workspace, reopen

PAUSE = 2.0
"""Seconds between two looks at the training."""


def evaluate(run: Path, cache: Path, watch: bool) -> Workspace:
    """Evaluate the checkpoints that are there, and those that come.

    Args:
        watch: until the training has ended; else what is there now.

    Returns:
        the run, for what is to be shown of it.

    Raises:
        DistillError: a run without a student, or whose training has not begun and is not waited for.
    """
    watcher = _Watcher(run, cache)
    while True:
        done = watcher.round()
        if done or not watch:
            break
        time.sleep(PAUSE)
    if not watch and not watcher.seen:
        raise DistillError(
            "its training has written no checkpoint yet", where=str(run), hint="--watch waits for the first one"
        )
    return watcher.workspace


@dataclass
class _Watcher:
    run: Path
    cache: Path
    seen: set[int] = field(default_factory=set)
    """Steps that are evaluated."""
    told: str = ""
    """What was said last of the training."""
    stamp: int = 0

    def __post_init__(self) -> None:
        self.reopen()

    def reopen(self) -> None:
        """Read the recipe again where a run has written it anew; another training is begun with from its first checkpoint."""
        stamp = (self.run / RESOLVED).stat().st_mtime_ns if (self.run / RESOLVED).exists() else 0
        if stamp == self.stamp and stamp:
            return
        before = self.key if self.stamp else None
        self.stamp, self.workspace = stamp, reopen(self.run, self.cache)
        if self.workspace.recipe.student is None:
            raise DistillError("the recipe has no student, and so no checkpoints", where=str(self.run))
        if before not in (None, self.key):
            self.seen.clear()
            self.say("  the recipe was changed: this is another training now")

    @property
    def key(self) -> str:
        return self.workspace.planned[training_of(self.workspace)].key

    @property
    def say(self) -> Callable[[str], None]:
        return self.workspace.context.say

    def round(self) -> bool:
        """Evaluate what nobody else does. True when the training has ended and all of its checkpoints are evaluated."""
        self.reopen()
        folder, ended = training_folder(self.workspace)
        there = evaluated.steps(folder)
        for step in there:
            if step not in self.seen and self.step(step):
                self.seen.add(step)
        if not ended:
            self.waiting(there)
        return ended and self.seen >= set(there)

    def waiting(self, there: list[int]) -> None:
        """Say once what the training is doing."""
        running = artifacts.busy(self.cache, training_of(self.workspace), self.key)
        last = f"its last checkpoint is that of step {there[-1]}" if there else "it has no checkpoint yet"
        said = "" if running else f"  nobody is training now, {last}; waiting for it to go on (Ctrl-C ends this)"
        if said not in ("", self.told):
            self.say(said)
        self.told = said

    def step(self, step: int) -> bool:
        """Evaluate a checkpoint; False where another watcher is doing so, or it went away."""
        workspace = evaluated.with_checkpoints(self.workspace, [step])
        name = arm(step)
        if workspace.find(name):
            return True
        key = workspace.planned[name].key
        if artifacts.busy(self.cache, name, key):
            return False
        for need in missing(workspace, name):
            self.say(f"{need}: needed by {name}")
            if workspace.planned[need].node.launch:
                start(workspace, need)
            else:
                workspace.make(need)
        started = time.monotonic()
        if not _evaluate(workspace, step) and not (training_folder(workspace)[1] and _evaluate(workspace, step)):
            self.say(f"  {name}: its checkpoint went away before it could be read")
            return False
        score = evaluated.means(artifacts.folder(self.cache, name, key) / "items.jsonl").get(
            workspace.recipe.evaluate.primary
        )
        said = "" if score is None else f"   {workspace.recipe.evaluate.primary} {score:.4f}"
        self.say(f"  {name:22} {time.monotonic() - started:6.1f} s{said}")
        return True


def missing(workspace: Workspace, name: str) -> Iterator[str]:
    """What an arm needs besides the training and is not there: in most cases the teacher as an arm, the first time."""
    needs = {other for need in workspace.planned[name].node.needs for other in workspace.wanted(need)}
    training = workspace.wanted(training_of(workspace))
    for node in workspace.nodes:
        if node.name in needs - training and workspace.find(node.name) is None:
            yield node.name


def _evaluate(workspace: Workspace, step: int) -> bool:
    """The checkpoint of a training that may still be going on; False where it is gone."""
    name, training = arm(step), training_of(workspace)
    folder, ended = training_folder(workspace)
    if ended:
        workspace.make(name)
        return True
    node = workspace.planned[training].node
    inputs = {need: found.path for need in node.needs if (found := workspace.find(need))}
    spec = node.spec
    assert isinstance(spec, Spec)
    with TemporaryDirectory(prefix="checkpoint-", dir=workspace.cache / ".work") as held:
        own = checkpoints.folder_of(Path(held) / "checkpoints", step)
        own.parent.mkdir()
        try:
            checkpoints.take(checkpoints.folder_of(folder / "checkpoints", step), own)
        except OSError:
            return False
        result.so_far(spec, inputs, workspace.context, Path(held))
        workspace.make(name, {training: Path(held)})
    return True

"""a run -> where each of its arms was evaluated; what is missing, or is of an earlier training, is an error that says how to
make it.

The run's own folder comes first. Checkpoints that `distill evaluate` has scored lie in the cache alone and are found there;
where the cache or what the recipe refers to is on another machine, the run's folder is all there is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from distill import artifacts, evaluated
from distill.compare.arms import STUDENT, manifest_of
from distill.errors import DistillError, SourceError
from distill.load import load_recipe
from distill.names import folder_name
from distill.recipe import Recipe
from distill.workspace import RESOLVED, reopen

EVALUATED = "5-evaluate-"
"""What the names of arms' folders begin with."""


@dataclass(frozen=True)
class Finished:
    folder: Path
    cache: Path

    @cached_property
    def recipe(self) -> Recipe:
        """As it was when the run began.

        Raises:
            SourceError: not a run, or one without a student.
        """
        if not (self.folder / RESOLVED).is_file():
            hint = "name a run: `distill run RECIPE` makes it"
            raise SourceError("not a run folder", where=str(self.folder), hint=hint)
        recipe = load_recipe(self.folder / RESOLVED)
        if recipe.student is None:
            raise SourceError("its recipe names no student", where=str(self.folder), hint="name runs that trained one")
        return recipe

    @cached_property
    def trainings(self) -> dict[str, Path]:
        """Folder of each training that ended, the last one last."""
        folders = {name: self._training(name) for name in self.recipe.train_names}
        return {name: folder for name, folder in folders.items() if (folder / artifacts.MANIFEST).is_file()}

    def evaluation(self, arm: str) -> Path:
        """Folder of an arm's evaluation.

        Raises:
            SourceError: it is not there, or is of an earlier training.
        """
        folder = self.find(arm)
        if folder is None:
            raise self._absent(arm)
        if self._stale(folder):
            hint = "run its recipe to the end"
            raise SourceError(f"{arm} was evaluated before its run was trained anew", where=str(folder), hint=hint)
        return folder

    def find(self, arm: str) -> Path | None:
        """The same, or None where there is none; it may be of an earlier training."""
        folder = self.folder / f"{EVALUATED}{folder_name(arm)}"
        if (folder / artifacts.MANIFEST).is_file():
            return folder
        step = arm.removeprefix(f"{STUDENT}@")
        return self._cached.get(int(step)) if arm != step and step.isdecimal() else None

    @property
    def arms(self) -> list[str]:
        """Names of all arms that were evaluated."""
        linked = [path.parent.name.removeprefix(EVALUATED) for path in self.folder.glob(f"{EVALUATED}*/manifest.json")]
        named = (re.sub(rf"^{STUDENT}-seed(?=\d+$)", f"{STUDENT}#", name) for name in linked)
        return sorted({*named, *(f"{STUDENT}@{step}" for step in self._cached)})

    @property
    def seeds(self) -> list[str]:
        """The student's further training seeds."""
        return [arm for arm in self.arms if re.fullmatch(rf"{STUDENT}#\d+", arm)]

    def steps(self) -> dict[int, str]:
        """Checkpoints of the student that were evaluated, by step, and where there are any the student, at the step it is of."""
        names = [arm for arm in self.arms if re.fullmatch(rf"{STUDENT}@\d+", arm)]
        fresh = [arm for arm in names if (folder := self.find(arm)) and not self._stale(folder)]
        found = {int(arm.partition("@")[2]): arm for arm in fresh}
        training = self.trainings.get(self.recipe.train_names[-1])
        if found and training and self.find(STUDENT):
            found[self._end(training) or max(found) + 1] = STUDENT
        return dict(sorted(found.items()))

    @cached_property
    def _cached(self) -> Mapping[int, Path]:
        """Evaluations of checkpoints in the cache, by step."""
        try:
            found = evaluated.evaluations(reopen(self.folder, self.cache))
        except DistillError:  # what the recipe refers to is not on this machine
            return {}
        return {step: artifact.path for step, artifact in found.items()}

    def _training(self, node: str) -> Path:
        return self.folder / f"4-{folder_name(node)}"

    def _stale(self, folder: Path) -> bool:
        """Whether the run has by now another training than the arm was evaluated of."""
        upstream: Mapping[str, str] = manifest_of(folder).get("identity", {}).get("upstream", {})
        made = {node: self._training(node) for node in upstream if re.split("[/@#]", node)[0] == "train"}
        return any(
            (place / artifacts.MANIFEST).is_file() and manifest_of(place).get("key") != upstream[node]
            for node, place in made.items()
        )

    def _absent(self, arm: str) -> SourceError:
        """What is there instead, and how the missing one is made."""
        training = self._training(self.recipe.train_names[-1])
        hint = f"evaluated are: {', '.join(self.arms) or 'none'}"
        stem, _, step = arm.rpartition("@")
        if stem == STUDENT:
            kept = sorted(int(path.name.rpartition("-")[2]) for path in training.glob("checkpoints/checkpoint-*"))
            made = f"`distill evaluate {self.folder.name}` evaluates every checkpoint"
            hint = f"{made if int(step) in kept else 'its training kept the steps'} {', '.join(map(str, kept)) or 'none'}; {hint}"
        return SourceError(f"there is no evaluation of {arm}", where=str(self.folder), hint=hint)

    @staticmethod
    def _end(training: Path) -> int | None:
        """Step that the student is of: that of the checkpoint which was kept, or the last."""
        kept: int | None = manifest_of(training)["summary"].get("kept", {}).get("step")
        log = training / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() and kept is None else []
        return int(json.loads(lines[-1])["step"]) if lines else kept

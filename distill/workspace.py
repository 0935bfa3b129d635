"""A recipe at work in its folders: references followed, nodes keyed, artifacts found or made, the run folder kept.

BASE/NAME.lock.json                commits of hub references, written by fetch
runs/NAME/recipe.resolved.yaml     every field of the recipe, defaults too
runs/NAME/run.json                 where the recipe lies, and under which name its lock
runs/NAME/<n>-<node>               link to the node's folder in the cache
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from distill import artifacts, pipeline
from distill.artifacts import Artifact
from distill.context import Context, Ranks, Resolved
from distill.errors import DistillError, NotFetchedError, SourceError
from distill.generate.preview import preview
from distill.generate.settings import Spec
from distill.load import load_recipe
from distill.nodes.node import Node, Planned, keys
from distill.protocols import Summary
from distill.recipe import Recipe, dump
from distill.sources import references
from distill.sources.licences import card_bases
from distill.terms.applying import local
from distill.terms.input import HOST
from distill.terms.registry import shipped
from distill.trackers import Tracked

RESOLVED, RUN = "recipe.resolved.yaml", "run.json"


NEW = "not made yet"


@dataclass(frozen=True)
class Workspace:
    """Where one recipe runs."""

    recipe: Recipe
    base: Path
    """Folder that the recipe's relative paths start from."""
    runs: Path
    cache: Path
    ranks: Ranks = Ranks()
    locked_as: str = ""
    """Name of the recipe whose lock holds, where it is not its own: cells of a laboratory have that of their recipe."""

    @property
    def run_folder(self) -> Path:
        return self.runs / self.recipe.name

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return pipeline.plan(self.recipe)

    @cached_property
    def resolved(self) -> Mapping[str, Resolved]:
        """Every reference followed, offline; all that lead nowhere in one error."""
        found: dict[str, Resolved] = {}
        errors: list[DistillError] = []
        stated, locked = self._stated_terms(), self.locked
        for ref, what in self.recipe.references.items():
            try:
                resolved = references.resolve(locked.get(ref, ref), what, self.base, self.runs, self.cache)
            except DistillError as error:
                errors.append(error)
                continue
            terms = stated.get(ref) or resolved.terms
            terms = self._with_bases(ref, resolved.path, terms) if what == "model" else terms
            found[ref] = replace(resolved, terms=terms, card=resolved.terms)
        for name, teacher in self.recipe.cast.items():
            if teacher.model in self.recipe.served:
                terms = self._terms_of_service(name, stated.get(teacher.model, ()))
                found[teacher.model] = replace(references.served(teacher.model), terms=terms)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            absent = all(isinstance(error, NotFetchedError) for error in errors)
            kind = NotFetchedError if absent else SourceError
            raise kind("\n".join([f"{len(errors)} references lead nowhere", *map(str, errors)]))
        return found

    def _with_bases(self, ref: str, folder: Path, terms: tuple[str, ...]) -> tuple[str, ...]:
        """Its terms, and of a fork by another name those of what its card says that it was made from: rows carry both."""
        known = shipped()  # an entry of the user's changes what is made of a stamp, and never the stamp
        if any(entry.layer != "service" for entry in known.covering(ref.partition("@")[0], "model")):
            return terms
        bases = (entry.id for base in card_bases(folder) for entry in known.covering(base, "model"))
        return tuple(dict.fromkeys((*terms, *bases)))

    def _terms_of_service(self, teacher: str, stated: tuple[str, ...]) -> tuple[str, ...]:
        """Ids of a served model's licence, and who serves it: every row of it carries them."""
        found, hosts = dict.fromkeys(stated), self.recipe.hosts(teacher)
        away = [host for host in hosts if not local(host)]
        for entry in shipped().covering(self.recipe.cast[teacher].model.partition("@")[0], "model"):
            if away if entry.layer == "service" else not stated:
                found[entry.id] = None
        return (*found, *(f"{HOST}{host}" for host in away))

    def _stated_terms(self) -> dict[str, tuple[str, ...]]:
        """What the recipe says of licences goes before what was found."""
        return {ref: terms for ref, terms in self.recipe.stated_terms if terms}

    @property
    def lock(self) -> Path:
        """Commits of hub references that name none themselves; kept beside the recipe, to be committed with it."""
        return self.base / f"{self.locked_as or self.recipe.name}.lock.json"

    @property
    def locked(self) -> dict[str, str]:
        """Hub references with the commits that they are locked at."""
        try:
            known: dict[str, str] = json.loads(self.lock.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DistillError(
                f"cannot be read: {error}", where=str(self.lock), hint="run distill fetch again"
            ) from error
        return {ref: f"{ref.partition('@')[0]}@{commit}" for ref, commit in known.items()}

    def fetch(self) -> list[str]:
        """Bring every hub reference here and lock its commit; over the network. One line for each reference.

        What is locked already stays at its commit: delete the lock, or a line of it, to move on.
        """
        lines: list[str] = []
        locked = self.locked
        commits = {ref: pinned.partition("@")[2] for ref, pinned in locked.items()}
        for ref, what in self.recipe.references.items():
            commit = references.fetch(locked.get(ref, ref), what, self.base)
            if commit:
                commits[ref] = commit
            lines.append(f"{ref}: {commit or 'on this machine already'}")
        if commits:
            with artifacts.disk(self.lock):
                self.lock.write_text(json.dumps(commits, indent=1) + "\n", encoding="utf-8")
        self.__dict__.pop("resolved", None)
        return lines

    def fetch_missing(self) -> None:
        """Before a run: what is not here is fetched, once and aloud; offline that is an error."""
        try:
            _ = self.resolved
        except NotFetchedError:
            if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
                raise
            for line in self.fetch():
                print(line, flush=True)

    @cached_property
    def planned(self) -> Mapping[str, Planned]:
        return keys(self.nodes, self.resolved)

    def wanted(self, until: str) -> set[str]:
        """A node and all it needs."""
        names = {until}
        for need in self.planned[until].node.before:
            names |= self.wanted(need)
        return names

    def find(self, name: str) -> Artifact | None:
        return artifacts.find(self.cache, name, self.planned[name].key, self.context.say)

    @cached_property
    def context(self) -> Context:
        return Context(self.cache, self.resolved, self.recipe.runtime, self.ranks)

    def why(self, name: str) -> list[str]:
        """Why a node must be made: the fields that differ from the run's last artifact of that name."""
        last = self.run_folder / self.planned[name].node.folder / artifacts.MANIFEST
        try:
            old = json.loads(last.read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError):
            return [NEW]
        return artifacts.why_stale(old, self.planned[name].identity) or [f"not in the cache {self.cache}"]

    def make(self, name: str, instead: Mapping[str, Path] | None = None) -> tuple[Artifact, bool]:
        """Make one node in this process; what it needs must be there.

        Args:
            instead: folders that stand for needs which are being made yet, and hold what this node reads of them.
        """
        planned = self.planned[name]
        given = instead or {}
        called = planned.node.called
        inputs = {called.get(need, need): given.get(need) or self._input(name, need) for need in planned.node.needs}
        context = replace(self.context, key=planned.key, tracked=self.tracked(name))
        if name in ("heldout", "benchmark", "generate"):
            self._enough_real(inputs["split"])
        if name == "generate":
            accept = pipeline.acceptance(self.recipe, inputs, context)
            context = replace(context, accept=accept)

        def run(out: Path) -> Summary:
            return planned.node.run(planned.node.spec, inputs, out, context)

        return artifacts.build(self.cache, name, planned.identity, run, self.ranks, context.say)

    def tracked(self, name: str) -> Tracked:
        """What trackers know a training by."""
        return Tracked(self.recipe.name, name, self.planned[name].key, self.run_folder)

    def preview(self, count: int) -> str:
        """What the first candidates of every method say, and what all would take; answers are kept, rows are not."""
        if not self.recipe.teaches:
            raise DistillError("the teacher writes nothing: real rows alone are learnt", where="mix.real_fraction")
        split, _ = self.make("split")
        accept = pipeline.acceptance(self.recipe, {"split": split.path}, self.context)
        spec = self.planned["generate"].node.spec
        assert isinstance(spec, Spec)
        return preview(spec, split.path, replace(self.context, accept=accept), count)

    def _enough_real(self, split: Path) -> None:
        """A fraction that the real data cannot make up is refused before the teacher is asked for anything."""
        mix, rows = self.recipe.mix, self.recipe.generate.taught
        fraction = mix.real_fraction
        if fraction == 1 or mix.earlier:
            return  # what earlier runs bring is counted by the mix
        by_data = json.loads((split / artifacts.MANIFEST).read_text(encoding="utf-8"))["summary"]["by_data"]
        there = sum(by_data[name]["train"] for name, real in self.recipe.real.items() if real.teaches)
        needed = round(fraction * mix.rows) if mix.rows else round(fraction / (1 - fraction) * rows)
        if needed > there:
            raise DistillError(
                f"{fraction:g} beside {rows} teacher rows needs {needed} real rows, and at most {there} are there",
                where="mix.real_fraction",
                hint="lower it, give more real data, or ask for fewer generate.rows",
            )

    def _input(self, name: str, need: str) -> Path:
        artifact = self.find(need)
        if artifact is None:
            hint = f"run the whole recipe with distill run, or first the stage that makes {need}"
            raise DistillError(f"needs {need}, which is not made yet for this recipe", where=name, hint=hint)
        return artifact.path

    def link(self, name: str, artifact: Artifact) -> None:
        """Point the run folder at an artifact, replacing an older link in one step."""
        self.run_folder.mkdir(parents=True, exist_ok=True)
        link = self.run_folder / self.planned[name].node.folder
        target = os.path.relpath(artifact.path.resolve(), self.run_folder.resolve())
        if link.is_symlink() and str(link.readlink()) == target:
            return
        temporary = link.with_name(f".{link.name}.{os.getpid()}")
        temporary.symlink_to(target)
        temporary.replace(link)

    def save_recipe(self) -> None:
        """Write the resolved recipe into the run folder, and where its relative paths start from."""
        place = {"base": str(self.base), **({"locked_as": self.locked_as} if self.locked_as else {})}
        files = {RESOLVED: dump(self.recipe), RUN: json.dumps(place, indent=1) + "\n"}
        with artifacts.disk(self.run_folder):
            self.run_folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                temporary = self.run_folder / f".{name}.{os.getpid()}"
                temporary.write_text(text, encoding="utf-8")
                temporary.replace(self.run_folder / name)
        planned = {node.folder for node in self.nodes}
        for link in self.run_folder.glob("[0-9]-*"):
            if link.is_symlink() and link.name not in planned:
                link.unlink()  # of a recipe that had this node


def reopen(run: Path, cache: Path, ranks: Ranks | None = None) -> Workspace:
    """The workspace of a run folder, as it was when the run began."""
    try:
        place = json.loads((run / RUN).read_text(encoding="utf-8"))
        base, locked_as = Path(place["base"]), place.get("locked_as", "")
    except (OSError, ValueError, KeyError) as error:
        raise DistillError(f"not a run folder: {error}", where=str(run)) from error
    return Workspace(load_recipe(run / RESOLVED), base, run.parent, cache, ranks or Ranks(), locked_as)

"""a recipe's inputs + what its student is for -> the verdict of their terms, before anything is paid for.

    went_in(workspace)   what the student will be made from, as far as it is known: what is not on this machine yet has no
                         card that could be read, and is `review`
    check(workspace)     refuses what is blocked; and, where the student is to leave research, what nobody has reviewed

The network is never asked. The report judges the same once more, with what the rows carry that there are then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from distill.compare.terms import went_in as taken_from
from distill.context import Resolved
from distill.errors import DistillError, NotFetchedError, SourceError, TermsError
from distill.ingredients import ingredients
from distill.load import load_recipe
from distill.sources import references
from distill.sources.licences import student_depth
from distill.terms.input import UNSEEN, Input, Role, Use
from distill.terms.joined import joined
from distill.terms.named import Named, inputs
from distill.terms.outcome import Terms, described, together
from distill.terms.registry import Registry, shipped, with_own
from distill.workspace import RUN, Workspace, reopen


def verdict(workspace: Workspace) -> Terms:
    """What the registry makes of a recipe."""
    recipe = workspace.recipe
    name = recipe.terms.name or recipe.name
    return described(list(went_in(workspace)), recipe.use, name, recipe.terms.accept, registry(workspace))


def registry(workspace: Workspace) -> Registry:
    """The shipped one, with the recipe's own entries."""
    own = workspace.recipe.terms.registry
    if not own:
        return shipped()
    return with_own(references.resolve(own, "data", workspace.base, workspace.runs, workspace.cache).path)


def check(workspace: Workspace) -> list[str]:
    """What a reader of the terms should know; nothing where all is allowed.

    Raises:
        TermsError: an input's terms forbid what the recipe intends, or nobody has reviewed them and the student is for more
            than research.
    """
    check_depth(workspace)
    found, recipe = verdict(workspace), workspace.recipe
    told = [f"terms.accept: nothing here asks about {key!r}" for key in found.unused]
    deciding = [one for one in found.inputs if one.learnt and one.verdict == found.verdict]
    lines = [f"{one.role}, {one.origin}: {'; '.join(one.why)}" for one in deciding]
    if found.verdict == "blocked":
        raise TermsError(
            "\n  ".join([f"`use: {recipe.use}` is not allowed by the terms of what goes in", *lines]),
            where="use",
            hint="take another teacher, base or data, or record a written permission (`terms.registry`); "
            "`distill terms RECIPE` shows all inputs",
        )
    # What is not here yet is fetched before a run, and judged then.
    unread = [one for one in deciding if UNSEEN not in one.why]
    if found.verdict == "review" and unread and recipe.use != "research":
        raise TermsError(
            "\n  ".join([f"`use: {recipe.use}` needs a look at the terms of what goes in", *lines]),
            where="use",
            hint="read them, then say why they are fine: terms: {accept: {ID or REFERENCE: REASON}}",
        )
    if found.verdict == "review":
        told += [f"terms: to be reviewed before the student leaves research: {line}" for line in lines]
    aside = [one for one in found.inputs if not one.learnt and one.verdict != "ok"]
    told += [
        f"terms: of the rows alone, {one.verdict}: {one.role}, {one.origin}: {'; '.join(one.why)}" for one in aside
    ]
    return [*told, *([f"terms: {aged(found)}"] if found.old else [])]


def aged(found: Terms) -> str:
    """Which entries should be looked at again."""
    return f"nobody has looked at these entries for half a year: {', '.join(found.old)}"


def check_depth(workspace: Workspace) -> None:
    """Refuse a teacher whose rows would be deeper than the recipe allows, before it is asked for anything.

    Raises:
        DistillError: names the teacher and its depth.
    """
    recipe = workspace.recipe
    most = recipe.split.max_depth
    for name in recipe.asked if most is not None else ():
        refs = [ref for ref in recipe.cast[name].weights if ref not in recipe.served]
        found = {ref: _resolved(workspace, ref, "model") for ref in refs}
        depth = max((student_depth(one.path) for one in found.values()), default=0)
        if most is not None and depth + 1 > most:
            raise DistillError(
                f"{recipe.cast[name].model} is {depth} generations of models from people's text: its rows would be of depth "
                f"{depth + 1}, above {most}",
                where="split.max_depth",
                hint="take a teacher that is nearer to people's text, or raise the limit",
            )


def went_in(workspace: Workspace) -> Iterator[Input]:
    """Base, adapter, every teacher that is asked, and every data set."""
    for named in ingredients(workspace.recipe):
        what: references.What = "data" if named.role == "real data" else "model"
        yield from inputs(named, partial(_resolved, workspace, what=what))


def all_that_went_in(workspace: Workspace, run: Path) -> list[Input]:
    """The same with what the run's rows and students carry, as far as it has got."""
    folders = {node.name: run / node.folder for node in workspace.nodes}
    return joined(taken_from(folders, workspace.recipe.train_names), went_in(workspace))


def _resolved(workspace: Workspace, ref: str, what: references.What) -> Resolved:
    """A reference followed, or as it stands where it is not on this machine yet."""
    at = workspace.locked.get(ref, ref)
    try:
        found = references.resolve(at, what, workspace.base, workspace.runs, workspace.cache)
    except DistillError:
        return references.served(ref)
    return replace(found, card=found.terms)


def of(what: str, use: Use | None, runs: Path, cache: Path, overrides: Sequence[str] = ()) -> Terms:
    """The verdict on a recipe, on a run's student by the rows that it learnt from, or on a model that somebody would build
    on and let teach.

    Args:
        overrides: fields of the recipe, as `--set` has them.

    Raises:
        DistillError: it is none of these.
    """
    path = Path(what)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        recipe = load_recipe(path, overrides)
        return verdict(
            Workspace(recipe.model_copy(update={"use": use or recipe.use}), path.resolve().parent, runs, cache)
        )
    run = next((folder for folder in (path, runs / what) if (folder / RUN).is_file()), None)
    if overrides:
        raise DistillError("only a recipe has fields to set", where="--set", hint="name the recipe of the run")
    if run is not None:
        return _of_run(reopen(run, cache), run, use)
    data = bool(shipped().covering(what.partition("@")[0], "data"))
    found = _followed(what, "data" if data else "model", runs, cache)
    roles: tuple[Role, ...] = ("real data",) if data else ("base weights", "teacher's answers")
    # Each by itself: what a model may teach is asked of any student, and not of one that is built on it too.
    names = [Named(role=role, ref=what, hosts=_served_by(what, role)) for role in roles]
    each = [list(inputs(one, lambda _: replace(found, card=found.terms))) for one in names]
    return together([described(went, use or "redistribute", "", {}, shipped()) for went in each])


def refuse(what: str, found: Terms) -> None:
    """Raises:
    TermsError: it is blocked, as `check` would have it."""
    forbidding = [one for one in found.inputs if one.learnt and one.verdict == "blocked"]
    if found.verdict == "blocked":
        raise TermsError(
            f"blocked for {found.use} by {', '.join(dict.fromkeys(one.origin for one in forbidding))}", where=what
        )


def _of_run(workspace: Workspace, run: Path, use: Use | None) -> Terms:
    recipe = workspace.recipe
    name, told = recipe.terms.name or recipe.name, recipe.terms.accept
    return described(all_that_went_in(workspace, run), use or recipe.use, name, told, registry(workspace))


def _served_by(name: str, role: Role) -> tuple[str, ...]:
    """A host of the service that a name without an owner is known by: nobody has the weights of such a model."""
    entries = shipped().covering(name, "model") if "/" not in name and role == "teacher's answers" else []
    return next(((entry.hosts[0],) for entry in entries if entry.layer == "service" and entry.hosts), ())


def _followed(ref: str, what: references.What, runs: Path, cache: Path) -> Resolved:
    try:
        return references.resolve(ref, what, Path(), runs, cache)
    except NotFetchedError:
        return references.served(ref)  # its name says something all the same
    except SourceError:
        if shipped().covering(ref, "model"):
            return references.served(ref)
        raise


def table(found: Terms) -> str:
    """For the terminal: the verdict, what decides it, and what must be done."""
    forms = ", ".join(f"{form} {level}" for form, level in found.forms.items())
    lines = [f"{found.verdict} for {found.use}: {forms}", ""]
    for one in found.inputs:
        lines.append(f"  {one.verdict:8} {one.role:22} {one.origin}{'' if one.learnt else '  (in rows alone)'}")
        lines += [f"           {why}" for why in one.why]
    if found.conditions:
        lines += ["", "to do:", *(f"  - {condition}" for condition in found.conditions)]
    if found.entries:
        lines += ["", "by these entries:", *(f"  {line}" for line in _entries(found))]
    if found.old:
        lines += ["", aged(found)]
    since = f" The oldest entry was looked at on {found.checked}." if found.checked else ""
    return "\n".join([*lines, "", f"{found.disclaimer}{since}"])


def _entries(found: Terms) -> Iterator[str]:
    """Of each how old its text and the look at it are, and what it says besides."""
    width = max(len(one.id) for one in found.entries)
    for one in found.entries:
        dated = f", text of {one.dated}" if one.dated else ""
        looked = f"looked at {one.checked}" if one.checked else "nobody knows when it was looked at"
        yield f"{one.id:{width}}  {looked}, {one.confidence}{dated}{' (OLD)' if one.old else ''}  {one.source}"
        for said in (f'"{one.quotation}"' if one.quotation else "", one.note or ""):
            if said:
                yield f"{'':{width}}  {said}"

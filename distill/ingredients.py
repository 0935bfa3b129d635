"""a recipe -> everything that it names whose terms count: base, adapter, teachers, data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from distill.recipe import Recipe
from distill.terms.applying import local
from distill.terms.input import Role
from distill.terms.named import Named

HERE = "localhost"
OURS = re.compile(r"[a-z][\w-]*\.[a-z]+$", re.IGNORECASE)
"""How the name of a host ends that an entry of the user's own may be about."""


def ingredients(recipe: Recipe) -> tuple[Named, ...]:
    """Base and what it wears; every teacher that is asked, by the part that it has; every data set. What the student is
    measured with alone comes last, and not as learnt from."""
    asked = recipe.asked if recipe.teaches else ()
    learnt = [*_student(recipe), *_teachers(recipe, (*asked, *recipe.judging), "teacher's answers")]
    if recipe.student is not None and any(one.SCORED or one.TEACHER for one in recipe.trainings):
        learnt += _teachers(recipe, ("teacher",), "teacher's distributions")
    for real in recipe.real.values():
        learnt.append(Named(role="real data", ref=real.data, stated=real.terms, rows=real.has_rows))
    learnt += (Named(role="real data", ref=ref, rows=True) for ref in recipe.mix.references)
    held_out = recipe.student is not None and "heldout" in recipe.evaluate.needs
    examiners = (*(("teacher",) if held_out else ()), *recipe.examined)
    aside = [one.model_copy(update={"learnt": False}) for one in _teachers(recipe, examiners, "teacher's answers")]
    known = {(one.role, one.ref) for one in learnt}
    return (*learnt, *(one for one in aside if (one.role, one.ref) not in known))


def _student(recipe: Recipe) -> Iterator[Named]:
    student = recipe.student
    if student is not None:
        yield Named(role="base weights", ref=student.model, stated=student.terms)
        if student.adapter:
            yield Named(role="adapter", ref=student.adapter)


def _teachers(recipe: Recipe, names: tuple[str, ...], role: Role) -> Iterator[Named]:
    for name in dict.fromkeys(names):
        teacher = recipe.cast[name]
        yield Named(
            role=role,
            ref=teacher.model,
            stated=teacher.terms,
            # No entry names a machine by its number or by half a name, and tomorrow's server may be on another.
            hosts=tuple(
                dict.fromkeys(HERE if local(host) and not OURS.search(host) else host for host in recipe.hosts(name))
            ),
            served=teacher.model in recipe.served,
        )
        if teacher.adapter:
            yield Named(role=role, ref=teacher.adapter)

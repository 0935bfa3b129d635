"""inputs as rows and students carry them + the same as the recipe names them -> each once, with all that is known of it.

Rows know what went in and carry its licences; what a card says against them, who served a model and what a fork was made
from only the recipe leads to. One list, so that the report, the cards and `distill terms` judge alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from distill.terms.input import Input


def joined(carried: Iterable[Input], named: Iterable[Input]) -> list[Input]:
    """Every input; one that several servers answer for once for each of them.

    Args:
        carried: read from rows, or from a student.
        named: found by the references of the recipe. What is on this machine no more says nothing where rows of it do: it
            was there when they were read.
    """
    known = {_key(one): one for one in carried}
    there = {(one.role, one.name) for one in known.values()}
    found: dict[Input, None] = {}
    met: set[tuple[str, str, bool]] = set()
    for one in named:
        if (own := known.get(_key(one))) is not None:
            met.add(_key(one))
            found[replace(one, declared=tuple(dict.fromkeys((*one.declared, *own.declared))))] = None
        elif one.seen or (one.role, one.name) not in there:
            found[one] = None
    return [*(one for key, one in known.items() if key not in met), *found]


def _key(one: Input) -> tuple[str, str, bool]:
    """What tells it from all others: the same model may have written what is learnt from, and a test set from other data."""
    return one.role, one.origin, one.learnt

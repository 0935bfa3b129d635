"""judged.json -> the report's section on the judge, in words and as tables that every form of the report shows.

No number is made here, and none is said louder than the judge's controls allow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from distill.compare.words import percent
from distill.errors import CompareError
from distill.judge.result import FILE, Control, Judged, Pair, Rate

SAYS = {"better": "preferred", "worse": "the other is preferred", "cannot tell": "cannot be told apart"}
STANDING = {
    "passed": "passed its controls",
    "cannot be believed": "cannot be believed",
    "no verdict": "gave no verdict that can be read",
}
METHOD = (
    "Both orders are asked; what changes with the order is a tie, and what cannot be read is failed, never a tie. At equal "
    "length: by a logistic regression on the difference in length. Intervals are of 95%, over prompts."
)


class Table(NamedTuple):
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def read_judged(inputs: Mapping[str, Path]) -> Judged | None:
    """What the judge said; None where the recipe names none.

    Raises:
        CompareError: it is not what this version writes.
    """
    if "judge" not in inputs:
        return None
    path = inputs["judge"] / FILE
    try:
        return Judged.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValidationError, ValueError) as error:
        raise CompareError(f"what the judge said cannot be read: {error}", where=str(path)) from error


def headline(judged: Judged) -> str:
    """What is known of the judge first; what it prefers only where it passed its controls."""
    who = f"The judge {judged.by} {STANDING[judged.standing]}"
    if judged.standing != "passed":
        return f"{who}: {'; '.join(judged.reasons)}."
    return f"{who}. {' '.join(_said(pair) for pair in judged.pairs)}"


def _said(pair: Pair) -> str:
    if pair.rate is None:
        return f"Of {pair.a} and {pair.b} it said nothing that can be read."
    level = f", {rate(pair.controlled)} at equal length" if pair.controlled else ", length not taken out"
    return f"The {pair.a} wins {rate(pair.rate)} against the {pair.b}{level}: {SAYS[pair.verdict]}{_needed(pair)}."


def _needed(pair: Pair) -> str:
    return f" ({pair.needed:,} items would be needed)" if pair.verdict == "cannot tell" and pair.needed else ""


def rate(found: Rate | None) -> str:
    """`61% [54, 68]`"""
    if found is None:
        return "–"
    low, high = (percent(end).rstrip("%") for end in found.ci95)
    return f"{percent(found.value)} [{low}, {high}]"


def tables(judged: Judged) -> Iterator[Table]:
    """The pairs, what the order did, the controls, and the agreement with people."""
    yield _pairs(judged)
    yield _orders(judged)
    head = ("control", "items", "wins", "unread", "should win", "result")
    yield Table("Controls, of which the outcome is known", head, [_control(one) for one in judged.controls])
    people = judged.agreement
    if people is not None:
        columns = ("labelled pairs", "with a verdict", "says the same", "kappa", "always the commonest")
        kappa = "–" if people.kappa is None else _plain(people.kappa)
        commonest = "–" if people.commonest is None else percent(people.commonest)
        row = (str(people.pairs), str(people.read), rate(people.share), kappa, commonest)
        yield Table("Against people", columns, [row])


def _pairs(judged: Judged) -> Table:
    head = (
        "a against b",
        "items",
        "won",
        "tied",
        "lost",
        "unread",
        "won by a",
        "at equal length",
        "detectable",
        "verdict",
    )
    rows = []
    for pair in judged.pairs:
        counts = pair.counts
        said = SAYS.get(pair.verdict, "no verdict") if judged.standing == "passed" else judged.standing
        level = rate(pair.controlled) if pair.controlled else "not known"
        detectable = "–" if pair.detectable is None else f"± {100 * pair.detectable:.0f} points"
        numbers = (counts.items, counts.won, counts.tied, counts.lost, counts.failed)
        rows.append((_name(pair), *map(str, numbers), rate(pair.rate), level, detectable, said))
    return Table("Pairs of arms", head, rows)


def _orders(judged: Judged) -> Table:
    head = (
        "a against b",
        "both orders agree",
        "shown first wins",
        "same text",
        "not answered",
        "length of a",
        "length of b",
    )
    rows = []
    for pair in judged.pairs:
        lengths = ("–", "–") if pair.characters is None else (f"{size:,.0f}" for size in pair.characters)
        counts = (str(pair.counts.same), str(pair.unanswered))
        rows.append((_name(pair), rate(pair.consistency), rate(pair.first), *counts, *lengths))
    return Table("Order and length (in characters)", head, rows)


def _name(pair: Pair) -> str:
    return f"{pair.a} – {pair.b}"


def _control(control: Control) -> tuple[str, ...]:
    should = "50%" if control.name == "same" else "less than 50%"
    result = {True: "passed", False: "failed", None: "no limit" if control.rate else "nothing to read"}[control.passed]
    counts = control.counts
    return control.meaning, str(counts.items), rate(control.rate), str(counts.failed), should, result


def _plain(found: Rate) -> str:
    low, high = found.ci95
    return f"{found.value:.2f} [{low:.2f}, {high:.2f}]"


def remarks(judged: Judged) -> list[str]:
    """Why it is not believed, what else must be known, and why a length could not be taken out."""
    undefined = [
        f"{pair.a} and {pair.b}: not known at equal length, since {pair.undefined}."
        for pair in judged.pairs
        if pair.undefined and pair.rate
    ]
    unread = [f"An answer that is no verdict: {judged.example}"] if judged.example else []
    return [*judged.cautions, *undefined, *unread]


def lines(judged: Judged) -> list[str]:
    """For a terminal."""
    loud = "! " if judged.standing != "passed" else ""
    return [f"{loud}{headline(judged)}", *(f"  {text}" for text in judged.cautions)]

"""rows that are there + a chain -> what each filter would drop, with examples; no rows are written.

No model is asked unless that is wanted. What filters with models find is stored, so that another threshold costs nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter, Chain, in_order
from distill.filter.ledger import Ledger
from distill.protocols import Judged
from distill.rows import Row

T = TypeVar("T")
ASKS = "asks a model"
"""Why most filters are left out that are."""
EXAMPLES = 2
"""Dropped rows that are shown for each reason."""
LONGEST = 300
"""Characters of one text that are shown."""


@dataclass
class Looked:
    """What became of rows in a chain."""

    ledger: Ledger = field(default_factory=Ledger)
    examples: dict[str, list[Judged]] = field(default_factory=lambda: defaultdict(list))
    """By `<filter>.<reason>`."""
    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of the rows kept, by name."""


def affordable(filters: Sequence[AnyFilter], models: bool) -> tuple[tuple[AnyFilter, ...], list[tuple[str, str]]]:
    """Filters that a preview runs, and which it leaves out, with the reason.

    A choice of the best N says nothing of fewer rows; and what judges by the score of a filter that is left out has none.
    """
    run: list[AnyFilter] = []
    left: list[tuple[str, str]] = []
    unscored: set[str] = set()
    for place, one in enumerate(filters, 1):
        if why := _too_dear(one, models, unscored):
            alike = sum(other.kind == one.kind for other in filters) > 1
            left.append((f"{one.label} (filter {place})" if alike else one.label, why))
            unscored.add(one.label)
        else:
            run.append(one)
            unscored.discard(one.label)
    return tuple(run), left


def _too_dear(one: AnyFilter, models: bool, unscored: set[str]) -> str:
    """Why a filter is left out; empty where it is not."""
    if one.CHOOSES:
        return "chooses among all rows that are accepted"
    if one.COSTLY and not models:
        return ASKS
    wanted = [name for name in one.believes if name in unscored]
    return f"judges by {', '.join(wanted)}, which is left out" if wanted else ""


def drawn(rows: Iterable[T], count: int) -> tuple[list[T], int]:
    """So many of the rows, each with the same chance, in their order; and how many there are. The same every time."""
    chosen: list[tuple[int, T]] = []
    draw, total = random.Random(count), 0
    for total, row in enumerate(rows, 1):
        if total <= count:
            chosen.append((total, row))
        elif (place := draw.randrange(total)) < count:
            chosen[place] = (total, row)
    return [row for _, row in sorted(chosen, key=lambda one: one[0])], total


def look(filters: Sequence[AnyFilter], bindings: Bindings, rows: Iterable[Row]) -> Looked:
    """Judge rows by a whole chain, whoever wrote them."""
    looked = Looked()
    chain = Chain(filters, bindings)
    for result in chain.judge(looked.ledger.asking(rows)):
        looked.ledger.enter(result, real=False)
        if result.verdict.keep:
            for name, score in result.row.scores.items():
                looked.scores[name].append(score)
        elif len(found := looked.examples[f"{result.filter}.{result.verdict.reason}"]) < EXAMPLES:
            found.append(result)
    looked.ledger.said += chain.notes
    return looked


def page(looked: Looked, filters: Sequence[AnyFilter]) -> str:
    """What was found, for a terminal: the table, overlap, changes, scores, and examples with their evidence."""
    record = looked.ledger.record()
    parts = ["\n".join([table(record, [one.kind for one in in_order(filters)]), *record["notes"]])]
    parts += [f"scores of the rows kept:\n{_scores(looked.scores)}"] if looked.scores else []
    for reason, found in looked.examples.items():
        parts.append("\n".join([reason, *(line for one in found for line in _example(one))]))
    return "\n\n".join(parts)


def table(record: Mapping[str, Any], filters: Iterable[str]) -> str:
    """A ledger's rows by filter and reason, in the chain's order, then overlap, changes and origins.

    Args:
        filters: kinds that the chain has, so that those which dropped nothing are there too.
    """
    account, total = record["teacher"], record["teacher"]["requested"]
    lines = [("filter", "reason", "dropped", "share")]
    for kind in dict.fromkeys(filters):
        reasons = {name: count for name, count in account["dropped"].items() if name.partition(".")[0] == kind}
        lines += [(kind, name.partition(".")[2], f"{count:,}", _share(count, total)) for name, count in reasons.items()]
        lines += [] if reasons else [(kind, "-", "0", "")]
    lines += [("", "kept", f"{account['kept']:,}", _share(account["kept"], total))]
    return "\n".join([*_aligned(lines), *beside(record)])


def beside(record: Mapping[str, Any]) -> Iterator[str]:
    """Lines on what a ledger counts beside the drops: overlap, and the yield of each origin."""
    if overlap := record.get("overlap", {}):
        counts = ", ".join(f"{what} {count:,}" for what, count in overlap.items())
        yield f"dropped by the first, and by the second had it been asked: {counts}"
    origins = record.get("by_origin", {})
    for origin, one in origins.items():
        lost = ", ".join(f"{reason} {count:,}" for reason, count in one["dropped"].items())
        kept = f"{one['kept']:,} of {one['rows']:,} kept ({_share(one['kept'], one['rows'])})"
        yield f"{one['source']} {origin}: {kept}{'; ' if lost else ''}{lost}"


def _scores(scores: Mapping[str, Sequence[float]]) -> str:
    lines = [["score", "rows", "least", "5%", "half", "95%", "most"]]
    for name, values in scores.items():
        ordered = sorted(values)
        places = [round(share * (len(ordered) - 1)) for share in (0, 0.05, 0.5, 0.95, 1)]
        lines.append([name, f"{len(values):,}", *(f"{ordered[place]:.4g}" for place in places)])
    return "\n".join(_aligned(lines, left=1))


def _example(result: Judged) -> Iterator[str]:
    verdict, row = result.verdict, result.row
    score = "" if verdict.score is None else f"  score {verdict.score:.4g}"
    also = f"  also {', '.join(result.also)}" if result.also else ""
    yield f"  {row.id}{score}{also}"
    said = [] if row.kind == "text" else [("question", row.question)]
    said += [("text" if row.kind == "text" else "answer", row.answer), ("evidence", verdict.evidence or "")]
    for who, text in said:
        if text or who != "evidence":
            yield f"    {who:9} {_plain(text)}"


def _plain(text: str) -> str:
    """The beginning of a text on one line, nothing in it that could act on a terminal."""
    line = " ".join(text[: 4 * LONGEST].split())
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line[:LONGEST])
    return f"{shown} …" if len(line) > LONGEST or len(text) > 4 * LONGEST else shown or "(empty)"


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "-"


def _aligned(lines: Sequence[Sequence[str]], left: int = 2) -> list[str]:
    """Columns: the first ones to the left, numbers to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]

"""held-out prompts -> rows.jsonl: the teacher's answers that the student is measured on and never trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.context import Context
from distill.engines.teacher import MAIN, Teacher
from distill.errors import YieldError
from distill.generate.answer import answer
from distill.generate.drive import MISSING, Driver, Outcome
from distill.generate.purse import Purse
from distill.generate.teacher import staff
from distill.protocols import Sampling, Summary
from distill.rows import Frozen, Row, read_rows, write_rows

VERSION = 1
FEWEST = 2
"""Answers that a comparison needs at least."""


class Spec(Frozen):
    teacher: Teacher
    sampling: Sampling
    systems: dict[str, str | None]
    """System message by data set: held-out prompts are asked as that set's training prompts are."""
    seed: int


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `rows.jsonl` (answers that ended by themselves) and `failures.jsonl` (the others, with their reason).

    Raises:
        YieldError: there are held-out prompts, and fewer answers ended than a mean with an interval needs.
    """
    asked = one_a_root(inputs["split"])
    prompts = [row for _, row in asked]
    outcomes: dict[int, Outcome] = {}
    with staff({MAIN: spec.teacher}, spec.sampling, spec.seed, context) as models:
        driver = Driver(models, context, Purse(prices=models.prices))
        author, template = models.cast[MAIN], models.engine(MAIN).template
        candidates = [answer(row, author, spec.systems.get(name)) for name, row in asked]
        for ended in driver.run(candidates, lambda: "held-out answers"):
            outcomes |= {place: finished(outcome) for place, outcome in ended.items()}
    ordered = [outcomes[place] for place in range(len(prompts))]
    rows = [outcome.row for outcome in ordered if outcome.row is not None]
    if prompts and len(rows) < FEWEST:
        raise nothing(ordered, len(rows))
    if context.ranks.main:
        write_rows(out / "rows.jsonl", rows)
        write_failures(out / "failures.jsonl", prompts, ordered)
    missing = sum(outcome.reason == MISSING for outcome in ordered)
    failed = len(prompts) - len(rows) - missing
    cut = sum(outcome.reason == "truncated" for outcome in ordered)
    return {
        "counts": {"requested": len(prompts), "parsed": len(rows), "failed": failed, "missing": missing},
        **driver.spent.bill(),
        "template": template,
        "notes": [f"{cut} of {len(prompts)} held-out answers were cut at max_new_tokens and left out"] if cut else [],
    }


def one_a_root(split: Path) -> list[tuple[str, Row]]:
    """The row of each held-out root that is asked and its data set, in the order of the roots' hashes.

    Of several the one with the lowest id, one with an answer before one without: the row that `heldout_real` measures
    too, so that both suites ask the same.
    """
    paths = sorted((split / "heldout").glob("*.jsonl"))
    rows = [(path.stem, row) for path in paths for row in read_rows(path) if row.kind in ("prompt", "chat")]
    first: dict[str, tuple[str, Row]] = {}
    for name, row in sorted(rows, key=lambda one: (one[1].kind != "chat", one[1].id)):
        first.setdefault(row.provenance.root, (name, row))
    return [first[root] for root in sorted(first)]


def finished(outcome: Outcome) -> Outcome:
    """An answer that was cut has no stop token to be measured on."""
    row = outcome.row
    if row is not None and row.provenance.sampling["finish"] != "stop":
        return Outcome(None, "truncated", row.answer[-200:])
    return outcome


def write_failures(path: Path, prompts: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
    """One line for every prompt without a row."""
    with path.open("w", encoding="utf-8") as file:
        for index, (prompt, outcome) in enumerate(zip(prompts, outcomes, strict=True)):
            if outcome.row is None:
                line = {"method": "answer", "index": index, "prompt": prompt.id}
                file.write(
                    json.dumps({**line, "reason": outcome.reason, "detail": outcome.detail}, ensure_ascii=False) + "\n"
                )


def nothing(outcomes: Sequence[Outcome], ended: int) -> YieldError:
    """Why there is nothing to measure the student on, before anything is spent on training it."""
    failed = [outcome for outcome in outcomes if outcome.row is None] or list(outcomes)
    first = failed[0]
    cut = all(outcome.reason == "truncated" for outcome in failed)
    longer = "raise generate.sampling.max_new_tokens, or ask for short answers with `system:` in the method"
    return YieldError(
        f"{ended} of {len(outcomes)} held-out answers ended; another: {first.reason}, {first.detail[:200]!r}",
        where="heldout",
        hint=longer if cut else "look at the teacher: is it a model for chat?",
    )

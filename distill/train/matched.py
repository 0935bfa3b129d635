"""Another training -> how many tokens each step of this one is to learn, from other rows, and how near it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.protocols import Summary
from distill.train import data, order
from distill.train.order import BLANK
from distill.train.settings import Matched

if TYPE_CHECKING:
    from distill.train.settings import Spec
    from distill.train.watch import Watched

NEAR = 0.05
"""Share of the tokens of a whole training by which the two may differ without a word."""


def wanted(spec: Spec, inputs: Mapping[str, Path]) -> list[int] | None:
    """Learnt tokens of each step of the training that this one is held against; None where it is held against none.

    It knows them from that training's tokens, and so waits for none of its steps.
    """
    if not isinstance(spec, Matched):
        return None
    train = spec.train
    rows = data.read(inputs[spec.like] / f"{train.READS}.arrow", train.max_length, "drop")
    steps = order.plan(rows.lengths, train.batch_size, train.epochs, train.max_steps, spec.seed)
    learnt = rows.learnt
    return [sum(learnt[row] for row in step if row != BLANK) for step in steps]


def said(summary: Summary, watched: Watched, wanted: Sequence[int]) -> Summary:
    """The summary with how near it came, for the report."""
    steps: int = summary["counts"]["steps"]
    found = [watched.data.learnt_of(watched.rows_of(step)) for step in range(1, steps + 1)]
    all_found, all_wanted = sum(found), sum(wanted[:steps])
    furthest = max(abs(one - other) for one, other in zip(found, wanted, strict=False))
    read = {row for step in range(1, steps + 1) for row in watched.rows_of(step)}
    note = (
        f"In {steps} steps it learnt {all_found:,} supervised tokens of {len(read):,} of {len(watched.data):,} real rows, each "
        f"read {watched.seen[steps - 1] / len(read):.1f} times; the distilled student's steps have {all_wanted:,} "
        f"({all_found / all_wanted - 1:+.2%}; a single step differs by at most {furthest} tokens)."
    )
    far = [
        "Its rows are too long or too short to be held against the distilled student token for token: read its difference "
        "with that in mind."
    ]
    notes = [note, *(far if abs(all_found / all_wanted - 1) > NEAR else []), *summary["notes"]]
    return {**summary, "matched": {"steps": steps, "tokens": all_found, "wanted": all_wanted}, "notes": notes}

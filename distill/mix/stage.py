"""kept teacher rows + rows of earlier runs + real rows -> files by kind, in the stated proportion, with no prompt on both sides.

train.jsonl        conversations and texts, the teacher's and real ones: what a student learns by the next token
validation.jsonl   real rows on which the training is watched: no training row has one of their prompts
preference.jsonl   answers ranked against others, where a method makes them
heldout.jsonl      what a student is measured on
benchmark.jsonl    the synthetic test set, where the recipe asks for one
README.md          the data card; croissant.json the same for programs; LICENSE.md and licences/ what it was made from;
                   asked.json what the teacher was asked about that is among no rows itself
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from distill import card_terms, croissant
from distill.cards import ASKED, DataCard, data_card, ingredients
from distill.context import Context
from distill.errors import DistillError
from distill.mix.asked import asked
from distill.mix.earlier import TAUGHT, Earliers, Found, find, refusal, shuffled
from distill.mix.proportion import of, proportioned
from distill.protocols import Summary
from distill.rows import Frozen, Row, read_rows, write_rows
from distill.sources.content import hashed
from distill.split import withdrawn
from distill.suites import heldout
from distill.terms import shipping
from distill.terms.registry import shipped

VERSION = 7
FEW = (
    "{found} real rows of {asked} were set aside to watch the training on: at most a tenth of the real rows, and only "
    "those whose prompt no training row has. More real data makes more (mix.validation_rows)."
)
SHORT = (
    "{missing} of {asked} rows (mix.rows) are missing: runs wrote the same row {doubled} times, and it is learnt once"
)
LEFT_OUT = "rows of earlier runs that are not learnt: {reasons}"


class Mix(Frozen):
    real_fraction: float = Field(0.25, ge=0, le=1)
    """Real conversations and texts as a share of all in train.jsonl. 1 is real rows alone: the teacher writes none."""
    rows: int | None = Field(None, gt=0)
    """Rows of train.jsonl in all, drawn from what there is in the stated proportion; all of them when not given. With `earlier`
    they are fewer where generations wrote the same row: it is learnt once."""
    earlier: Earliers = ()
    """References to rows of other runs that are learnt too: kept and added to, not replaced. `run:NAME/mix` is short for
    `{rows_of: run:NAME/mix}`. Real ones among them count as real. What was withdrawn or is measured on is left out; this
    recipe's filters do not judge them."""
    validation_rows: int = Field(64, ge=0)
    """Real rows set aside to watch the training on, at most a tenth of them and never one that the mix needs."""

    @model_validator(mode="after")
    def _room(self) -> Self:
        asked = sum(one.rows or 0 for one in self.earlier)
        if self.rows and asked > self.rows:
            raise ValueError(f"earlier names {asked} rows, more than rows: {self.rows}")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(one.rows_of for one in self.earlier)


class Spec(Frozen):
    mix: Mix
    seed: int
    max_depth: int | None = None
    """Most generations of models between people's text and a row of an earlier run."""
    without: str | None = None
    """Reference to a file of roots and ids that rows of an earlier run may not have; None where there are no such rows."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `train.jsonl` in a seeded shuffle, `validation.jsonl`, `heldout.jsonl` (real rows, then the teacher's), what
    else there is and `README.md`.

    Raises:
        DistillError: too few real rows for the fraction, or a prompt that is on both sides.
    """
    kept = list(read_rows(inputs["filter"] / "kept.jsonl"))
    if not kept and spec.mix.real_fraction < 1:
        raise DistillError("no teacher row was kept", where="mix", hint="see the ledger of filter for the reasons")
    split = [row for path in sorted((inputs["split"] / "heldout").glob("*.jsonl")) for row in read_rows(path)]
    wrote = list(heldout.written(inputs))
    measured = [*split, *wrote, *heldout.loaded(inputs)]
    found = earlier(spec, measured, context)
    train, real, short = learnt(found, kept, inputs, spec)
    drawn = of("real", train)
    pairs = shuffled([row for row in kept if row.kind == "preference"], spec.seed, "train")
    watched = validation([*train, *pairs], real, spec)
    prove_apart([*train, *pairs, *watched], measured)
    # People's rows first; a prompt without an answer is there as the teacher answered it.
    aside = [*(row for row in split if row.kind in TAUGHT), *(row for row in wrote if row.kind in TAUGHT)]
    benchmark = [row for row in wrote if row.kind == "benchmark"]
    if context.ranks.main:
        ledger = json.loads((inputs["filter"] / "ledger.json").read_text(encoding="utf-8"))
        card = DataCard(train, aside, ledger, pairs, benchmark, watched)
        for name, rows in card.files.items():
            write_rows(out / name, rows)
        _write_cards(card, inputs, out, context)
    before = {row.id for row in (*found.fixed, *found.free)}
    counts = {
        "teacher": len(train) - len(drawn), "real": len(drawn), "train_rows": len(train), "heldout_rows": len(aside),
    }  # fmt: skip
    more = {
        "earlier": sum(row.id in before for row in train), "validation_rows": len(watched),
        "preference_rows": len(pairs), "benchmark_rows": len(benchmark),
    }  # fmt: skip
    return {
        "counts": counts | {name: count for name, count in more.items() if count},
        "kinds": dict(Counter(row.kind for row in (*train, *pairs, *benchmark))),
        "real_fraction": len(drawn) / max(len(train), 1),
        **({"left_out": dict(found.left_out)} if found.left_out else {}),
        "notes": list(_notes(found, len(watched), short, spec)),
    }


def _notes(found: Found, watched: int, short: str | None, spec: Spec) -> Iterator[str]:
    if watched < spec.mix.validation_rows:
        yield FEW.format(found=watched, asked=spec.mix.validation_rows)
    if short:
        yield short
    if found.left_out:
        yield LEFT_OUT.format(
            reasons=", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        )


def _write_cards(card: DataCard, inputs: Mapping[str, Path], out: Path, context: Context) -> None:
    """README.md, croissant.json, asked.json, and the licences of what the rows were made from."""
    learnt, measured = asked(inputs, [*card.train, *card.preference], "train"), [*card.benchmark, *card.heldout]
    (out / ASKED).write_text(json.dumps([asdict(part) for part in learnt], indent=1) + "\n", encoding="utf-8")
    made = ingredients([*card.train, *card.preference, *card.benchmark])
    aside = (*ingredients([*card.heldout, *card.validation]), *asked(inputs, measured, "heldout"))
    besides = {part.origin: replace(part, rows=0) for part in (*aside, *learnt)}
    besides = {origin: part for origin, part in besides.items() if all(part.origin != one.origin for one in made)}
    found = (*made, *besides.values())
    places = {source.origin: source.path for source in context.resolved.values()}
    parts = shipping.parts(card_terms.inputs(found), places)
    shipping.write(out, shipping.shipped(parts, ("rows",), shipped()))
    front = card_terms.front(parts, shipped())
    told = replace(
        card, besides=tuple(besides.values()), terms=card_terms.section(parts, shipped(), ("rows",)), front=front
    )
    (out / "README.md").write_text(data_card(told), encoding="utf-8")
    hashes = {name: hashed(out / name) for name in card.files}
    croissant.write(out / croissant.FILE, croissant.croissant(card, hashes, shipped(), "training-data"))


def validation(train: Sequence[Row], real: Sequence[Row], spec: Spec) -> list[Row]:
    """Real rows to watch the training on: none with a prompt of a training row. The mix is the same without them."""
    taken = {root for row in train for root in row.roots}
    free = [row for row in real if not taken & row.roots]
    return shuffled(free, spec.seed, "validation")[: min(spec.mix.validation_rows, len(real) // 10)]


def earlier(spec: Spec, measured: Sequence[Row], context: Context) -> Found:
    """Rows of earlier runs, but for what was withdrawn and what is measured on."""
    gone = withdrawn(context.resolved[spec.without].path) if spec.without else frozenset[str]()
    aside = {root for row in measured for root in row.roots} if spec.mix.earlier else set[str]()
    return find(spec.mix.earlier, spec.seed, spec.max_depth, refusal(gone, aside), context)


def learnt(
    found: Found, kept: Sequence[Row], inputs: Mapping[str, Path], spec: Spec
) -> tuple[list[Row], list[Row], str | None]:
    """Rows of train.jsonl in their order; the real rows that could be among them; and a note where they are fewer than asked
    for, as some came more than once.

    Raises:
        DistillError: there are too few, each counted as often as it came.
    """
    taken = {row.id for row in found.fixed}
    taught = [row for row in kept if row.kind in TAUGHT]
    there = {row.id: row for row in (*found.free, *taught) if row.id not in taken}
    # What the teacher answered word for word as people did is there once.
    real = [row for row in read_rows(inputs["filter"] / "real.jsonl") if row.id not in there and row.id not in taken]
    fraction, rows = spec.mix.real_fraction, spec.mix.rows
    chosen = proportioned(
        found.fixed, list(there.values()), shuffled(real, spec.seed, "draw"), fraction, rows, spec.seed
    )
    train = shuffled(chosen, spec.seed, "train")
    missing = max(0, rows - len(train)) if rows else 0
    doubled = found.doubled + len(found.free) + len(taught) - len(there) if spec.mix.earlier else 0
    if rows and missing > doubled:
        wanted, brought = round(fraction * rows), len(found.fixed)
        own = sum(row.provenance.source == "real" for row in (*found.fixed, *there.values()))
        made = brought + len(there) - own if fraction < 1 else 0
        raise DistillError(
            f"mix.rows {rows} with real_fraction {fraction:g} takes {rows - wanted} of the teacher's and {wanted} real rows; there "
            f"are {made} and {own + len(real)}",
            where="mix",
            hint="lower mix.rows, ask for more generate.rows, or give more real data",
        )
    return train, real, SHORT.format(missing=missing, asked=rows, doubled=doubled) if missing else None


def prove_apart(train: Iterable[Row], heldout: Iterable[Row]) -> None:
    """Check every training row against the held-out side, by the root it descends from and by its own prompt.

    Raises:
        DistillError: one prompt is on both sides; names the rows.
    """
    sides = {root: row for row in heldout for root in row.roots}
    both = [(row, sides[root]) for row in train for root in row.roots if root in sides]
    if both:
        named = "; ".join(f"{row.id} ({row.provenance.method}) and {other.id}" for row, other in both[:5])
        raise DistillError(
            f"{len({row.id for row, _ in both})} training rows share a prompt with held-out rows: {named}",
            where="mix",
            hint="add the filter contamination; rows from elsewhere must be split with the data they came from",
        )

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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import Field

from distill import card_terms, croissant
from distill.cards import ASKED, DataCard, Ingredient, data_card, ingredients, license_of
from distill.context import Context
from distill.errors import DistillError
from distill.protocols import Summary
from distill.rows import Frozen, Row, digest, read_rows, write_rows
from distill.sources.content import hashed
from distill.suites import heldout
from distill.terms import shipping
from distill.terms.registry import shipped

VERSION = 5
TAUGHT = ("chat", "text")
"""Kinds of rows in train.jsonl."""
FEW = (
    "{found} real rows of {asked} were set aside to watch the training on: at most a tenth of the real rows, and only "
    "those whose prompt no training row has. More real data makes more (mix.validation_rows)."
)


class Mix(Frozen):
    real_fraction: float = Field(0.25, ge=0, le=1)
    """Real conversations and texts as a share of all in train.jsonl. 1 is real rows alone: the teacher writes none."""
    rows: int | None = Field(None, gt=0)
    """Rows of train.jsonl in all, drawn from what there is in the stated proportion; all of them when not given. With `earlier`
    they are fewer where generations wrote the same row: it is learnt once."""
    earlier: tuple[str, ...] = ()
    """References to rows of other runs, `run:NAME/mix`, that are learnt too: kept and added to, not replaced. Real ones
    among them count as real."""
    validation_rows: int = Field(64, ge=0)
    """Real rows set aside to watch the training on, at most a tenth of them and never one that the mix needs."""


class Spec(Frozen):
    mix: Mix
    seed: int
    max_depth: int | None = None
    """Most generations of models between people's text and a row of an earlier run."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `train.jsonl` in a seeded shuffle, `validation.jsonl`, `heldout.jsonl` (real rows, then the teacher's), what
    else there is and `README.md`.

    Raises:
        DistillError: too few real rows for the fraction, or a prompt that is on both sides.
    """
    kept = list(read_rows(inputs["filter"] / "kept.jsonl"))
    if not kept and spec.mix.real_fraction < 1:
        raise DistillError("no teacher row was kept", where="mix", hint="see the ledger of filter for the reasons")
    old = earlier(spec, context)
    learnt = {row.id: row for row in (*old, *kept) if row.kind in TAUGHT}
    # What the teacher answered word for word as people did is there once.
    real = [row for row in read_rows(inputs["filter"] / "real.jsonl") if row.id not in learnt]
    there = list(learnt.values())
    train = shuffled(proportioned(there, shuffled(real, spec.seed, "draw"), spec), spec.seed, "train")
    drawn = [row for row in train if row.provenance.source == "real"]
    pairs = shuffled([row for row in kept if row.kind == "preference"], spec.seed, "train")
    watched = validation([*train, *pairs], real, spec)
    split = [row for path in sorted((inputs["split"] / "heldout").glob("*.jsonl")) for row in read_rows(path)]
    wrote = list(heldout.written(inputs))
    prove_apart([*train, *pairs, *watched], [*split, *wrote, *heldout.loaded(inputs)])
    # People's rows first; a prompt without an answer is there as the teacher answered it.
    aside = [*(row for row in split if row.kind in TAUGHT), *(row for row in wrote if row.kind in TAUGHT)]
    benchmark = [row for row in wrote if row.kind == "benchmark"]
    if context.ranks.main:
        ledger = json.loads((inputs["filter"] / "ledger.json").read_text(encoding="utf-8"))
        card = DataCard(train, aside, ledger, pairs, benchmark, watched)
        for name, rows in card.files.items():
            write_rows(out / name, rows)
        _write_cards(card, asked(inputs["split"], [*train, *pairs, *benchmark]), out, context)
    before = {row.id for row in old}
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
        "notes": [FEW.format(found=len(watched), asked=spec.mix.validation_rows)]
        if len(watched) < spec.mix.validation_rows
        else [],
    }


def asked(split: Path, made: Sequence[Row]) -> tuple[Ingredient, ...]:
    """What the teacher was asked about, and is among no rows itself: its words are in the answers."""
    there = {part.origin for part in ingredients(made)}
    descended = {row.provenance.root for row in made if row.provenance.source == "teacher"}
    rows = (row for path in sorted((split / "train").glob("*.jsonl")) for row in read_rows(path))
    found = ingredients(row for row in rows if row.provenance.root in descended and row.provenance.origin not in there)
    return tuple(replace(part, rows=0) for part in found)


def _write_cards(card: DataCard, asked: Sequence[Ingredient], out: Path, context: Context) -> None:
    """README.md, croissant.json, asked.json, and the licences of what the rows were made from."""
    (out / ASKED).write_text(json.dumps([asdict(part) for part in asked], indent=1) + "\n", encoding="utf-8")
    made = ingredients([*card.train, *card.preference, *card.benchmark])
    known = {part.origin for part in (*made, *asked)}
    aside = ingredients(row for row in (*card.heldout, *card.validation) if row.provenance.origin not in known)
    besides = (*asked, *(replace(part, rows=0) for part in aside))
    found = (*made, *besides)
    places = {source.origin: source.path for source in context.resolved.values()}
    parts = shipping.parts(card_terms.inputs(found), places)
    shipping.write(out, shipping.shipped(parts, ("rows",), shipped()))
    front = card_terms.front(parts, license_of(found))
    told = replace(card, besides=besides, terms=card_terms.section(parts, shipped(), ("rows",)), front=front)
    (out / "README.md").write_text(data_card(told), encoding="utf-8")
    hashes = {name: hashed(out / name) for name in card.files}
    croissant.write(out / croissant.FILE, croissant.croissant(card, hashes, shipped(), "training-data"))


def validation(train: Sequence[Row], real: Sequence[Row], spec: Spec) -> list[Row]:
    """Real rows to watch the training on: none with a prompt of a training row. The mix is the same without them."""
    taken = {root for row in train for root in row.roots}
    free = [row for row in real if not taken & row.roots]
    return shuffled(free, spec.seed, "validation")[: min(spec.mix.validation_rows, len(real) // 10)]


def earlier(spec: Spec, context: Context) -> list[Row]:
    """Rows of earlier runs.

    Raises:
        DistillError: one is deeper than `split.max_depth` allows.
    """
    found = []
    for ref in spec.mix.earlier:
        for row in read_rows(context.resolved[ref].path):
            if spec.max_depth is not None and row.provenance.depth > spec.max_depth:
                raise DistillError(
                    f"row {row.id} is {row.provenance.depth} generations of models away from people's text, and split.max_depth "
                    f"is {spec.max_depth}",
                    where=ref,
                    hint="take rows of an earlier generation, or raise split.max_depth",
                )
            found.append(row)
    return found


def proportioned(there: Sequence[Row], real: Sequence[Row], spec: Spec) -> list[Row]:
    """Rows that are learnt: what is there, with real rows to make up the fraction; `mix.rows` of them where it is given.

    Args:
        there: the teacher's rows and those of earlier runs, real ones too.
        real: other real rows, in the order that they are taken in.

    Raises:
        DistillError: too few real rows for the fraction, or too few rows in all.
    """
    fraction, rows = spec.mix.real_fraction, spec.mix.rows
    made = [row for row in there if row.provenance.source == "teacher"] if fraction < 1 else []
    own = [row for row in there if row.provenance.source == "real"]
    if rows is None:
        if fraction == 1:
            return [*own, *real]
        needed = real_rows(fraction, len(made), len(own) + len(real))
        return [*made, *own, *real[: max(0, needed - len(own))]]
    drawn = shuffled([*made, *own], spec.seed, "draw")[:rows]
    wanted = round(fraction * rows)
    anew = max(0, wanted - sum(row.provenance.source == "real" for row in drawn))
    # Real rows take the place of the teacher's that were drawn last.
    spared = [row for row in drawn if row.provenance.source == "teacher"]
    out = {row.id for row in spared[len(spared) - max(0, len(drawn) + anew - rows) :]}
    chosen = [row for row in drawn if row.id not in out] + list(real[:anew])
    if len(chosen) < rows and not spec.mix.earlier:
        raise DistillError(
            f"mix.rows {rows} with real_fraction {fraction:g} takes {rows - wanted} of the teacher's and {wanted} real rows; there "
            f"are {len(made)} and {len(own) + len(real)}",
            where="mix",
            hint="lower mix.rows, ask for more generate.rows, or give more real data",
        )
    return chosen


def real_rows(fraction: float, teacher: int, there: int) -> int:
    """How many real rows make up a fraction of the mix beside so many of the teacher's.

    Raises:
        DistillError: there are fewer; says which fraction they would make.
    """
    needed = round(fraction / (1 - fraction) * teacher)
    if needed > there:
        # Rounded down, so that what is suggested fits.
        fits = int(1000 * there / (there + teacher)) / 1000
        raise DistillError(
            f"real_fraction {fraction:g} beside {teacher} teacher rows needs {needed} real rows, not {there}",
            where="mix",
            hint=f"set mix.real_fraction to {fits:g} or less, give more real data, or ask for fewer generate.rows",
        )
    return needed


def shuffled(rows: Sequence[Row], seed: int, purpose: str) -> list[Row]:
    """The rows in an order that depends on seed and content alone, not on the order they came in or on their number."""
    return sorted(rows, key=lambda row: digest([seed, purpose, row.id]))


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

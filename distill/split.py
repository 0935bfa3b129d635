"""real data -> train/NAME.jsonl, heldout/NAME.jsonl: the side of every prompt and document, by hash, before anything is
generated. The passages of a document have its root, and so its side.

Knows nothing of models. Memory is hashes: rows go through a file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from distill.context import Context
from distill.errors import SourceError
from distill.protocols import Summary
from distill.rows import Frozen, Row, digest, root_of, to_line
from distill.sources.real import PEOPLE, Reading, Real, read_real

VERSION = 2
NAMED = re.compile("[0-9a-f]{16}")
DataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""Name of a data set in a recipe: it becomes the name of a file."""


class Split(Frozen):
    held_out_prompts: int = Field(128, ge=0)
    """Root prompts, and documents, kept away from training, the same on every machine: those whose hash with the seed is
    lowest. 0 when not given in a recipe without a student and a benchmark: nothing is measured then."""
    seed: int | None = Field(None, ge=0)
    """What the prompts are held out by; the recipe's seed when not given. With one of its own, recipes of other seeds are
    measured on the same items."""
    without: str | None = None
    """Reference to a text file that names prompts and documents which were withdrawn, by root or by row id, one a line:
    none of their rows is read, from any data set, nor learnt of `mix.earlier`. `distill withdraw --exclude FILE` writes one."""

    max_depth: int | None = Field(None, ge=1)
    """Most generations of models between people's text and a row that is made in this run. Rows of `run:` and `rows:` that
    are so deep already are skipped as `too_deep`, and a teacher that is itself a student too deep is refused. No limit when
    not given."""

    @property
    def references(self) -> tuple[str, ...]:
        return (self.without,) if self.without else ()


class Spec(Frozen):
    """All that decides the split."""

    real: dict[DataName, Real]
    split: Split
    seed: int


def spec(real: Mapping[str, Real], split: Split, seed: int) -> Spec:
    """What decides the sides, with the seed that does."""
    own = seed if split.seed is None else split.seed
    return Spec(real=dict(real), split=split.model_copy(update={"seed": None}), seed=own)


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:  # noqa: ARG001
    """Write the rows of each side, one file a data set, in the order of the data; a row that comes again is left out.

    The summary's `counts` and each of `by_data`: read = train + heldout + duplicates + skipped.

    Raises:
        SourceError: data that cannot be read, or too few prompts to hold out as many as asked.
    """
    mine = [_split(spec, out, context)] if context.ranks.main else []
    return context.ranks.gather(mine)[0]


def held_out(roots: Iterable[str], seed: int, count: int) -> frozenset[str]:
    """The `count` roots whose hash with the seed is lowest, whatever the order they come in."""
    return frozenset(sorted(set(roots), key=lambda root: digest([seed, root]))[:count])


def _split(spec: Spec, out: Path, context: Context) -> Summary:
    for side in ("train", "heldout"):
        (out / side).mkdir(parents=True, exist_ok=True)
    spool = out / "all.jsonl"
    roots: dict[str, list[str]] = {}
    by_data: dict[str, dict[str, Any]] = {}
    copies: Counter[str] = Counter()
    marks: dict[str, dict[str, list[float]]] = {name: {} for name in spec.real}
    notes: list[str] = []
    gone = withdrawn(context.resolved[spec.split.without].path) if spec.split.without else frozenset()
    with spool.open("w", encoding="utf-8") as file:
        for name, real in spec.real.items():
            reading = read_real(name, real, context.resolved[real.data])
            roots[name], seen = [], set[str]()
            for row in context.progress(reading, total=real.limit or 0, label=f"read {name}", unit="rows"):
                if reason := _refused(row, spec, gone):
                    reading.skip(reason, f"row {row.id}")
                    continue
                if PEOPLE in row.scores:
                    marks[name].setdefault(row.id, []).append(row.scores[PEOPLE])
                if (same := _sameness(row)) not in seen:
                    seen.add(same)
                    roots[name].append(row.provenance.root)
                    file.write(to_line(row))
            copies.update(seen)
            by_data[name] = _counted(reading, len(seen))
            notes += _notes(reading)
            if again := sum(len(values) > 1 for values in marks[name].values()):
                notes.append(f"{name}: {again} rows were scored more than once and have the mean of their scores")
    aside = _aside(roots, spec)
    with spool.open(encoding="utf-8") as lines:
        for name in spec.real:
            means = {row: fmean(values) for row, values in marks[name].items() if len(values) > 1}
            marked = (_marked(line, means) for line in lines) if means else lines
            by_data[name] |= _write_sides(marked, roots[name], aside, out, name)
    spool.unlink()
    shared = sum(count > 1 for count in copies.values())
    if shared:
        notes.append(f"{shared} rows are in more than one data set, each keeps its own copy")
    return _summary(by_data, roots, aside, notes, _what(spec.real))


def withdrawn(path: Path) -> frozenset[str]:
    """Roots and ids of a file, one a line; what follows a `#` is for the reader.

    Raises:
        SourceError: a line that is neither.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name and not NAMED.fullmatch(name):
            hint = "16 hex digits, as `distill withdraw --exclude FILE` writes them"
            raise SourceError(f"{name!r} is no root and no id of a row", where=f"{path}:{number}", hint=hint)
        found += [name] if name else []
    return frozenset(found)


def _refused(row: Row, spec: Spec, gone: frozenset[str]) -> str | None:
    """Why a row may not go in, whatever it says."""
    if row.provenance.root in gone or row.id in gone:
        return "withdrawn"
    # What is made of it is one deeper.
    return "too_deep" if spec.split.max_depth is not None and row.provenance.depth >= spec.split.max_depth else None


def _sameness(row: Row) -> str:
    """What two rows have in common of which one is left out: all, or a text's words (a notice at the end of every
    document, on both sides of the split, would be there to be trained and to be measured on)."""
    return root_of(row.messages) if row.kind == "text" else row.id


def _aside(roots: Mapping[str, list[str]], spec: Spec) -> frozenset[str]:
    """The held-out roots over all data sets together."""
    distinct = {root for of_one in roots.values() for root in of_one}
    asked = spec.split.held_out_prompts if spec.real else 0
    if asked and len(distinct) <= asked:
        hint = f"hold out fewer than {len(distinct)}, or give more data"
        message = (
            f"{asked} asked, but the real data have {len(distinct)} distinct {_what(spec.real)} and one must be left to "
            "train on"
        )
        raise SourceError(message, where="split.held_out_prompts", hint=hint)
    return held_out(distinct, spec.seed, asked)


def _write_sides(lines: Iterator[str], roots: list[str], aside: frozenset[str], out: Path, name: str) -> dict[str, int]:
    """The next lines, one for each root, to the side of that root."""
    counts = {"train": 0, "heldout": 0}
    train, heldout = out / "train" / f"{name}.jsonl", out / "heldout" / f"{name}.jsonl"
    with train.open("w", encoding="utf-8") as one, heldout.open("w", encoding="utf-8") as other:
        for root in roots:
            side = "heldout" if root in aside else "train"
            (other if side == "heldout" else one).write(next(lines))
            counts[side] += 1
    return counts


def _marked(line: str, means: Mapping[str, float]) -> str:
    """A row's line with the mean of what people gave it: several of them may have scored one answer."""
    record = json.loads(line)
    if record["id"] not in means:
        return line
    record["scores"][PEOPLE] = means[record["id"]]
    return json.dumps(record, ensure_ascii=False) + "\n"


def _counted(reading: Reading, kept: int) -> dict[str, Any]:
    skipped = sum(reading.skipped.values())
    return {
        "read": reading.read,
        "duplicates": reading.read - skipped - kept,
        "skipped": skipped,
        "reasons": dict(sorted(reading.skipped.items())),
    }


def _notes(reading: Reading) -> list[str]:
    notes = [f"{reading.name}: skipped {reading.reasons}"] if reading.skipped else []
    if reading.cut:
        notes.append(f"{reading.name}: {reading.cut} conversations were cut after their last answer")
    return notes


def _what(real: Mapping[str, Real]) -> str:
    """What the roots of the data are, in words."""
    texts = [one.text is not None for one in real.values()]
    return " and ".join([*(["prompts"] if not all(texts) or not texts else []), *(["documents"] if any(texts) else [])])


def _summary(
    by_data: dict[str, dict[str, Any]],
    roots: Mapping[str, list[str]],
    aside: frozenset[str],
    notes: list[str],
    what: str,
) -> Summary:
    names = ("read", "train", "heldout", "duplicates", "skipped")
    counts = {name: sum(one[name] for one in by_data.values()) for name in names}
    assert counts["read"] == sum(counts[name] for name in names[1:])
    prompts = len({root for of_one in roots.values() for root in of_one})
    line = f"{len(aside)} of {prompts} {what} are held out, with {counts['heldout']} of their rows"
    return {
        "counts": counts,
        "by_data": by_data,
        "prompts": {"train": prompts - len(aside), "heldout": len(aside)},
        "notes": [line, *notes],
    }

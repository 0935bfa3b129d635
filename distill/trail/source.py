"""a run + a document, a data set or a model -> all rows that were made from it, step by step, and who learnt from them.

A source is the name of a data set in the recipe, a reference with or without its revision, the id of a row, the root that
rows carry, or what a prompt says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from distill.errors import SourceError
from distill.rows import Frozen, Message, root_of
from distill.sources.references import nearest
from distill.trail.index import HEX, Index, among, distinct, grown, number
from distill.trail.steps import Run, Step, followed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.trail.index import Mask

    Places = npt.NDArray[np.intp]
    """Rows of a step that the source itself is, or that name it."""


class Made(Frozen):
    """Rows of one file that stand on the source."""

    step: str
    file: str
    rows: int
    of: int
    """Rows of the file in all."""
    first: tuple[str, ...]
    """Ids of the first of them."""


class Taught(Frozen):
    training: str
    rows: int
    """Rows that stand on the source among those it learnt from."""
    of: int


class Offspring(Frozen):
    source: str
    what: str
    """`data set NAME`, `origin`, `row` or `root`."""
    made: tuple[Made, ...]
    taught: tuple[Taught, ...]
    missing: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(one.rows for one in self.made)


def offspring(run: Run, source: str, root: bool = False, first: int = 3) -> tuple[Offspring, list[tuple[Step, Mask]]]:
    """All rows made from a source, and which rows of each step they are.

    Args:
        root: the source is a document or prompt, by its root, the id of its row or what it says.
        first: ids that are listed of each file.
    """
    import numpy as np

    missing: list[str] = []
    steps = followed(run, missing)
    what, begins = (_document if root else _named)(run, steps, source)
    taken = np.zeros(0, dtype=np.uint64)
    found: list[tuple[Step, Mask]] = []
    for step in steps:
        hit, ids = grown(step.index, taken, begins(step))
        taken = distinct(np.sort(np.concatenate([taken, ids]))) if len(taken) else ids
        found.append((step, hit))
    made = tuple(one for step, hit in found for one in _files(step, hit, first))
    taught = tuple(_taught(run, made))
    return Offspring(source=source, what=what, made=made, taught=taught, missing=tuple(missing)), found


def _named(run: Run, steps: Sequence[Step], source: str) -> tuple[str, Callable[[Step], Places]]:
    """A data set of the recipe, by its name or reference; or any origin."""
    data = next((name for name, real in run.recipe.real.items() if source in (name, real.data)), None)
    if data is not None:
        begins = _of_data(steps, run, data)
        return f"data set {data}", begins

    teacher = run.recipe.cast.get(source)
    wanted = "+".join(teacher.weights) if teacher else source

    def written(step: Step) -> Places:
        import numpy as np

        index = step.index
        codes = [code for code, origin in enumerate(index.origins) if is_of(origin, wanted)]
        helped = index.columns["helped"][np.isin(index.columns["helper"], codes)]
        own = np.isin(index.columns["origin"], codes).nonzero()[0]
        return np.union1d(own, helped) if len(helped) else own

    return "origin", written


def is_of(origin: str, source: str) -> bool:
    """Whether an origin is a reference, each with its revision or without. Of a teacher with an adapter either of the two
    counts, or both: `MODEL+ADAPTER`."""

    def among(wanted: str) -> bool:
        return any(wanted in (part, part.rpartition("@")[0]) for part in (origin, *origin.split("+")))

    return among(source) or ("+" in source and all(among(wanted) for wanted in source.split("+")))


def _of_data(steps: Sequence[Step], run: Run, data: str) -> Callable[[Step], Places]:
    """Rows of a data set's files in the split; and where a filter has changed one, by its root and origin."""
    import numpy as np

    split = next(step for step in steps if step.run == run.name and step.name[2:] == "split")
    named = {f"{side}/{data}.jsonl" for side in ("train", "heldout")}
    index = split.index
    mine = np.isin(index.columns["of"], [place for place, file in enumerate(index.files) if file in named])
    roots = distinct(np.sort(index.columns["root"][mine]))
    origins = {index.origins[code] for code in np.unique(index.columns["origin"][mine])}

    def begins(step: Step) -> Places:
        if step.path == split.path:
            return mine.nonzero()[0]
        codes = [code for code, origin in enumerate(step.index.origins) if origin in origins and step.run == run.name]
        columns = step.index.columns
        own = np.isin(columns["origin"], codes).nonzero()[0]
        return np.asarray(own[among(columns["root"][own], roots)])

    return begins


def document(source: str) -> int:
    """A root, an id or what a prompt says, as the index has it."""
    return number(source if HEX.fullmatch(source) else root_of([Message(role="user", content=source)]))


def _document(run: Run, steps: Sequence[Step], source: str) -> tuple[str, Callable[[Step], Places]]:  # noqa: ARG001
    """A document or prompt: rows of one root, or one row."""
    import numpy as np

    wanted = document(source)

    def begins(step: Step) -> Places:
        columns = step.index.columns
        # What a model asks of its own accord in the same words is that prompt too.
        found: Places = np.any([columns[name] == wanted for name in ("root", "own", "id")], axis=0).nonzero()[0]
        return found

    return "root", begins


def _files(step: Step, hit: Mask, first: int) -> Iterator[Made]:
    import numpy as np

    index: Index = step.index
    counts = np.bincount(index.columns["of"], minlength=len(index.files))
    hits = np.bincount(index.columns["of"][hit], minlength=len(index.files))
    for place, file in enumerate(index.files):
        own = (hit & (index.columns["of"] == place)).nonzero()[0][:first]
        shown = tuple(f"{int(index.columns['id'][row]):016x}" for row in own)
        yield Made(step=step.label, file=file, rows=int(hits[place]), of=int(counts[place]), first=shown)


def _taught(run: Run, made: Sequence[Made]) -> Iterator[Taught]:
    """Trainings, with the rows of the mix that each learns from."""
    for node, training, arm in run.learners():
        mix = f"{run.name}/3-mix{f'@{arm}' if arm else ''}"
        for one in made:
            if one.step == mix and one.file == f"{training.READS}.jsonl":
                yield Taught(training=node, rows=one.rows, of=one.of)


def unknown(run: Run, source: str) -> SourceError:
    """Nothing came of it: a name that is written otherwise there, most often."""
    steps = followed(run, [])
    origins = {origin.rpartition("@")[0] for step in steps for origin in step.index.origins}
    known = [*run.recipe.real, *sorted(origins)]
    return SourceError(
        f"no row was made from {source!r}",
        where=str(run.folder),
        hint=f"nearest there: {nearest(source, known)}; a document is named by --root, with its id, root or words",
    )

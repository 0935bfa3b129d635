"""`distill filter`: a recipe's filters over rows that are there, apart from a run: looked at, or written out.

The rows are those of a file or folder, or what the recipe's own run has made so far. What an evaluation asks is taken from
the run as far as it is made; nothing here asks a teacher to write.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from distill import artifacts
from distill.compare import browse
from distill.context import Resolved
from distill.errors import DistillError, SourceError
from distill.filter import shards, stage
from distill.filter.alone import holding
from distill.filter.chain import Chain, in_order
from distill.filter.given import Given
from distill.filter.ledger import Ledger
from distill.filter.preview import ASKS, affordable, drawn, look, page, table
from distill.filter.written import Written
from distill.nodes.data import filter_spec
from distill.rows import Row, read_rows
from distill.sources import references
from distill.suites.heldout import MEASURED
from distill.workspace import Workspace


def preview(workspace: Workspace, count: int, ref: str | None, models: bool) -> str:
    """What each filter would drop of so many rows.

    Args:
        ref: file or folder of rows; None for those of the run.
        models: ask models too.
    """
    spec, inputs = filter_spec(workspace.recipe), _inputs(workspace)
    filters, left = affordable(spec.filter, models)
    spec = spec.model_copy(update={"filter": filters})
    place, rows = _at_hand(workspace, inputs["split"], ref)
    chosen, total = drawn(rows, max(1, count))
    with closing((bound := stage.bindings(spec, inputs, workspace.context, of_file=True)).open):
        looked = look(filters, bound, chosen)
    unread = _unread(_given(workspace, ref)) if ref is not None else []
    which = f"all {total:,} rows" if len(chosen) == total else f"{len(chosen):,} of {total:,} rows, drawn by lot,"
    lines = [f"{workspace.recipe.name}: {which} of {place}", "", page(looked, filters), ""]
    lines += [f"not run: {kind}, it {why}" for kind, why in left]
    if any(why == ASKS for _, why in left):
        lines.append("--models runs what asks a model; its scores are stored, so that another threshold asks nothing")
    if len(chosen) < total:
        lines.append("duplicates of rows that were not drawn are not seen")
    return "\n".join([*lines, *unread, *_unmeasured(workspace, inputs)]).rstrip()


def write(
    workspace: Workspace,
    ref: str,
    out: Path,
    tasks: int = 0,
    executor: str = "local",
    options: dict[str, Any] | None = None,
) -> str:
    """Judge all rows of a file or folder, and write the files that the filter stage writes; what was found, in a table.

    Args:
        tasks: shares of the shards that are judged side by side, by datatrove; 0 judges in this process.
        executor: `local`, `slurm` or `ray`.
        options: what datatrove's executor is told besides.
    """
    spec, inputs = filter_spec(workspace.recipe), _inputs(workspace)
    given = _given(workspace, ref)
    _refuse_other(out, given.path)
    if tasks:
        job = shards.Job(spec, inputs, workspace.context, given, out.absolute())
        with artifacts.disk(out):
            waiting = shards.run(job, tasks, executor, options or {})
        if waiting:
            return waiting
    else:
        with artifacts.disk(out), holding(out), whole(out) as folder:
            judge(spec, inputs, workspace, given, folder)
    record = Ledger.read(out)
    kinds = [part.kind for part in in_order(spec.filter)]
    notes = [*record["notes"], *_unread(given), *_unmeasured(workspace, inputs)]
    page = browse.write(out, out.name, out)
    return "\n".join([table(record, kinds), *notes, "", f"rows: {out}", f"read them: {page}"])


def settings(options: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE`, as given with `--option`: a number or `true` and `false` where it is one, else as it stands (`2:00:00`
    is a text)."""
    pairs = [option.partition("=") for option in options]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise DistillError(f"{wrong[0]!r} is not KEY=VALUE", where="--option")
    return {name: _value(text) for name, _, text in pairs}


def _value(text: str) -> Any:
    if text.removeprefix("-").isdecimal():
        return int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def judge(spec: stage.Spec, inputs: dict[str, Path], workspace: Workspace, rows: Iterable[Row], out: Path) -> None:
    """Rows through the whole chain, whoever wrote them, into a folder."""
    ledger = Ledger()
    with (
        closing((bound := stage.bindings(spec, inputs, workspace.context, of_file=True)).open),
        Written(out, ledger, ("kept", "dropped")) as written,
    ):
        chain = Chain(spec.filter, bound)
        for result in workspace.context.progress(chain.judge(ledger.asking(rows)), 0, "filter", "row"):
            written.enter(result)
        ledger.said += chain.notes
    ledger.check(out, hint="a filter lost rows: no verdict on them was written")
    ledger.write(out)


def _refuse_other(out: Path, rows: Path) -> None:
    """Nothing is written over but an earlier such folder, and never the rows that are read."""
    why = None
    if out.is_symlink():
        why = "is a symbolic link"
    elif out.exists() and not (out / "ledger.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        why = "is there, and not what filters wrote"
    elif (out / artifacts.MANIFEST).exists():
        why = "is what a step of a run made, which others are made from"
    elif rows.resolve().is_relative_to(out.resolve()):
        why = f"holds the rows to be judged, {rows}, and would be written over"
    elif out.resolve().is_relative_to(rows.resolve()):
        why = f"lies among the rows to be judged, {rows}, and would be one of them the next time"
    if why:
        raise DistillError(why, where=str(out), hint="name another folder with --out")


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder to write in, which takes the place of `out` when it is done."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as draft:
        folder = Path(draft) / "new"
        folder.mkdir()
        yield folder
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)


def _inputs(workspace: Workspace) -> dict[str, Path]:
    """The split, made now if it is not there, and of what else is evaluated on as much as is made."""
    split, _ = workspace.make("split")
    found = {name: workspace.find(name) for name in MEASURED if name in workspace.planned}
    return {"split": split.path, **{name: one.path for name, one in found.items() if one is not None}}


def _unread(given: Given) -> list[str]:
    """What of a file is not carried over."""
    names = ", ".join(given.unread)
    return [f"columns that are not read, and not written: {names} (a reference goes into `evidence`)"] if names else []


def _unmeasured(workspace: Workspace, inputs: dict[str, Path]) -> list[str]:
    if not any(part.kind == "contamination" for part in workspace.recipe.filter):
        return []
    absent = [name for name in MEASURED if name in workspace.planned and name not in inputs]
    return [f"contamination: {name} is not made yet, and was not looked for" for name in absent]


def _at_hand(workspace: Workspace, split: Path, ref: str | None) -> tuple[str, Iterable[Row]]:
    """Rows of the reference; else what generation made, by this recipe or an earlier one of its name; else real rows."""
    if ref is not None:
        given = _given(workspace, ref)
        return str(given.path), given
    made = workspace.find("generate") if workspace.recipe.teaches else None
    last = workspace.run_folder / "1-generate" / "rows.jsonl"
    if made is not None:
        return "what generation made", read_rows(made.path / "rows.jsonl")
    if last.is_file():
        return f"{last}, made by an earlier recipe of this name", read_rows(last)
    if not any(real.teaches for real in workspace.recipe.real.values()):
        raise SourceError(
            "no rows yet: nothing is generated, and no real data have answers", hint="name a file with --rows"
        )
    return "the real training data (nothing is generated yet)", stage.real_rows(split)


def _given(workspace: Workspace, ref: str) -> Given:
    found: Resolved = references.resolve(ref, "data", Path(), workspace.runs, workspace.cache)
    return Given(found.path, found.origin)

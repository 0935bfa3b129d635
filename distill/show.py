"""What the terminal shows of a recipe and its run: the plan, a step's line, rows, tokens, the result."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill import evaluated
from distill.artifacts import MANIFEST, Artifact
from distill.errors import DistillError, SourceError
from distill.filter.ledger import Ledger
from distill.filter.preview import beside, table
from distill.judge.family import Model, kin
from distill.launch import find_config
from distill.names import folder_name
from distill.nodes.arms import against
from distill.recipe import Recipe
from distill.rows import Row, read_rows
from distill.suites.suite import LOADED
from distill.workspace import NEW, RUN, Workspace, reopen

ROW_FILES = ("rows.jsonl", "kept.jsonl", "train.jsonl", "preference.jsonl", "benchmark.jsonl")


def steps(workspace: Workspace) -> list[dict[str, Any]]:
    """Each node: its name, key, whether it is there, and if not why."""
    found = []
    for node in workspace.nodes:
        there = workspace.find(node.name) is not None
        why = [] if there else workspace.why(node.name)
        found.append({"node": node.name, "key": workspace.planned[node.name].key, "there": there, "why": why})
    return found


def plan_table(workspace: Workspace, found: Sequence[dict[str, Any]]) -> str:
    lines = [f"{workspace.recipe.name}: {sum(not step['there'] for step in found)} of {len(found)} steps to make"]
    for step in found:
        reason = "there" if step["there"] else "; ".join(step["why"])
        lines.append(f"  {step['node']:20} {step['key']}  {reason}")
    return "\n".join([*lines, *guard_notes(workspace.recipe)])


def because(why: Sequence[str]) -> str:
    """The first reasons for making a node again, or that it is the first time."""
    return "making it, for the first time" if why == [NEW] else "; ".join([*why[:3], *(["…"] if len(why) > 3 else [])])


def launch_notes(workspace: Workspace) -> list[str]:
    """Which accelerate configuration starts which stage, and where that was tried."""
    notes = []
    for stage, name in workspace.recipe.runtime.launch.items():
        path = find_config(name, workspace.base)
        said = [line for line in path.read_text(encoding="utf-8").splitlines() if "verified" in line.lower()]
        notes.append(f"  {stage}: {path.name}, {said[0].strip('# ').removesuffix('.') if said else 'unverified'}")
    return notes


def guard_notes(recipe: Recipe) -> list[str]:
    """What the guard will do, in a line."""
    beyond = "stops the run" if recipe.guard.stop else "is told, and stops nothing"
    if not any(real.teaches for real in recipe.real.values()):
        return [
            "  guard: no data set under real has texts by people that rows could be held against: nothing is judged"
        ]
    loss = " and a student whose loss on real text rises" if recipe.student else ""
    return [f"  guard: a mix poorer than people's texts beyond guard.limits{loss} {beyond}"]


def judge_notes(recipe: Recipe) -> list[str]:
    """What should be known of the judge of the answers before it is asked."""
    judge = recipe.evaluate.judge if recipe.comparing else None
    if judge is None or recipe.student is None:
        return []
    by = Model(frozenset(recipe.cast[judge.by].weights))
    related = kin(by, {role: Model(frozenset({ref})) for role, ref in against(recipe, recipe.student).items()})
    asked = f"at most {judge.questions(len(recipe.evaluate.judged)):,} questions"
    people = ", and it is never compared with people (evaluate.judge.labels)"
    people = " beside two for each labelled pair" if judge.labels else people
    return [f"  judge: {judge.by} is asked {asked}{people}", *([f"  judge: {related}"] if related else [])]


def made_line(name: str, artifact: Artifact, seconds: float) -> str:
    """`  generate  61 s  requested 301 · parsed 298 · failed 3`, and the stage's notes under it."""
    counts = " · ".join(f"{key.replace('_', ' ')} {value}" for key, value in artifact.summary.get("counts", {}).items())
    # What compare notes is what the stages before it noted, for the report: here it was printed already.
    notes = [] if "compare" in name else [f"    {note}" for note in artifact.summary.get("notes", ())]
    return "\n".join([f"  {name:18} {seconds:6.1f} s   {counts}", *notes])


def result(workspace: Workspace) -> str:
    """The table of arms, the headline and where the report lies; without a student, where the data lie."""
    if workspace.recipe.student is None:
        return _data(workspace)
    from distill.compare.terminal import table as arms

    folder = workspace.run_folder / workspace.planned["compare"].node.folder
    return f"\n{arms(_report(folder))}\n\nreport: {folder / 'report.html'}"


def refuse(workspace: Workspace) -> None:
    """End a run whose student lost what people's texts have, now that its report is there to be read.

    Raises:
        CollapseError: it did, beyond `guard.limits`, and the recipe does not say to go on.
    """
    if workspace.recipe.student is None:
        return
    from distill.compare.guarded import refused
    from distill.compare.report import read_report
    from distill.nodes.in_force import of_all

    folder = workspace.run_folder / workspace.planned["compare"].node.folder
    found = read_report(_report(folder)).guard
    error = refused(found, f"all numbers are in {folder / 'report.html'}", of_all(workspace.recipe)) if found else None
    if error is not None:
        raise error


def _data(workspace: Workspace) -> str:
    """What every method gave, and where the data lie."""
    from distill.compare.flow import by_method
    from distill.compare.markdown import methods

    folders = {name: workspace.run_folder / workspace.planned[name].node.folder for name in workspace.planned}
    found = methods(by_method(folders.get("generate"), folders["filter"]))
    return f"\n{found}\n\ndata: {folders['mix']}\nread them: {page(workspace.run_folder)}"


def page(run: Path) -> Path:
    """The page of all rows that were kept and dropped, written into a run's folder, or into one that filters wrote."""
    from distill.compare import browse

    folder = run / "2-filter" if (run / RUN).is_file() else run
    return browse.write(folder, run.name, run)


def overview(run: Path, cache: Path) -> str:
    """A run's steps with their counts and cost, and its result when there is one; of what filters wrote, its books."""
    if not (run / RUN).is_file() and (run / "ledger.json").is_file():
        record = Ledger.read(run)
        return "\n".join([str(run), table(record, ()), *record["notes"]])
    lines, stale = [str(run)], []
    workspace = reopen(run, cache)
    planned = {one.node.folder: one.key for one in workspace.planned.values()}
    for folder in sorted(path for path in run.iterdir() if (path / MANIFEST).is_file()):
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["key"] != planned.get(folder.name):
            stale.append(folder.name)
            lines.append(f"  {folder.name:18} of an earlier recipe of this name")
            continue
        lines.append(made_line(folder.name, Artifact(manifest["key"], folder, manifest), manifest["cost"]["seconds"]))
        if (folder / "ledger.json").is_file():
            lines += [f"    {line}" for line in filtered(folder)]
    if said := curves(workspace):
        lines += ["", said]
    finished = run / "6-compare"
    if (finished / "report.json").is_file() and finished.name not in stale:
        from distill.compare.terminal import table as arms

        lines += ["", arms(_report(finished)), "", f"report: {finished / 'report.html'}"]
    return "\n".join(lines)


def curves(workspace: Workspace) -> str:
    """What the checkpoints scored that are evaluated, a line for each: the metric that decides, and the first of every
    suite; nothing where none is."""
    found = evaluated.points(workspace)
    if not found:
        return ""
    primary = workspace.recipe.evaluate.primary
    first = {name.partition(".")[0]: name for point in found for name in reversed(point.metrics)}
    names = [primary, *(name for name in first.values() if name.partition(".")[0] != primary.partition(".")[0])]
    rows = [["step", *names], *([str(one.step), *(_value(one.metrics.get(name)) for name in names)] for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(["checkpoints, means over the items of each suite:", *(f"  {line}" for line in lines)])


def _value(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.4f}"


def filtered(folder: Path) -> Iterator[str]:
    """What the filters dropped and why, what two of them would have dropped, and the yield of each origin."""
    ledger = Ledger.read(folder)
    for source, rows in (("teacher", "teacher's rows"), ("real", "real rows")):
        if ledger[source]["dropped"]:
            lost = ", ".join(f"{reason} {count:,}" for reason, count in ledger[source]["dropped"].items())
            yield f"{rows} dropped: {lost}"
    yield from beside(ledger)


def _report(folder: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError("no report there", where=str(folder), hint="distill run RECIPE makes one") from error
    return report


def rows(run: Path, node: str, count: int) -> str:
    """The first rows of a node, as they are; where it has several files, of each."""
    paths = _rows_of(run, node)
    parts = []
    for path in paths:
        parts += [f"{path.name}:"] if len(paths) > 1 else []
        parts += [_in_words(row) for row in _first(path, count)]
    return "\n\n".join(parts)


def _rows_of(run: Path, node: str) -> list[Path]:
    own = [run] if (run / "kept.jsonl").is_file() else []
    for folder in [*sorted(run.glob(f"?-{folder_name(node)}")), *own]:
        if found := _files(folder):
            return found
    there = ", ".join(path.name[2:] for path in sorted(run.iterdir()) if _files(path))
    raise SourceError(f"no rows of a node {node!r}", where=str(run), hint=f"nodes with rows: {there}")


def _files(folder: Path) -> list[Path]:
    """Files of rows in a node's folder; those of items are called as the suites are."""
    if folder.name.endswith(f"-{LOADED}"):
        return sorted(folder.glob("*.jsonl"))
    return [path for name in ROW_FILES if (path := folder / name).is_file()]


def _first(path: Path, count: int) -> list[Row]:
    return [row for _, row in zip(range(count), read_rows(path), strict=False)]


def _in_words(row: Row) -> str:
    made = row.provenance
    terms = ", ".join(made.terms) or "unknown"
    kind = "" if row.kind == "chat" else f"{row.kind} · "
    said: list[tuple[str, str]] = [
        ("text" if row.kind == "text" else message.role, message.content) for message in row.messages
    ]
    said += [("rejected", message.content) for message in row.rejected]
    said += [(f"({name})", text) for name, text in row.evidence.items()]
    head = f"{row.id}  {kind}{made.source} · {made.method} · {made.origin} · depth {made.depth} · terms {terms}"
    return "\n".join([head, *(f"  {name:9} {text}" for name, text in said)])


def dropped(run: Path, reason: str, count: int) -> str:
    """Dropped rows, with the filter's reason and evidence, then candidates that became no row; all reasons where none is
    named."""
    step = run / "2-filter"
    folder = step if step.is_dir() or (run / RUN).is_file() else run
    path, failures = folder / "dropped.jsonl", run / "1-generate" / "failures.jsonl"
    if not path.is_file() and not failures.is_file():
        raise SourceError("nothing was filtered yet", where=str(run))
    shown: list[str] = []
    found = 0
    for record in _records(path):
        name = f"{record['filter']}.{record['reason']}"
        found += reason in name
        if reason in name and len(shown) < count:
            record["row"].pop("id", None)
            row = Row.model_validate(record["row"])
            shown.append(f"{name}  score {record['score']}  evidence {record['evidence']}\n{_in_words(row)}")
    for record in _records(failures):
        name = f"{record['method']}.{record['reason']}"
        found += reason in name
        if reason in name and len(shown) < count:
            shown.append(f"{name}  candidate {record['index']}, no row\n  {record['detail']}")
    more = [f"{len(shown)} of {found:,}; -n shows more"] if len(shown) < found else []
    return "\n\n".join([*shown, *more]) or f"nothing was dropped for a reason like {reason!r}"


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def tokens(run: Path, cache: Path, count: int) -> str:
    """Training rows as the student sees them, token by token, the trained ones marked."""
    from distill.engines.models import load_tokenizer
    from distill.engines.template import preview
    from distill.tokenise.encode import encode_row

    path = run / "3-mix" / "train.jsonl"
    if not path.is_file():
        raise DistillError("no training rows yet", where=str(run), hint="distill run RECIPE --until mix makes them")
    workspace = reopen(run, cache)
    if workspace.recipe.student is None:
        raise DistillError("the recipe names no student, who reads tokens", where=str(run))
    tokenizer = load_tokenizer(workspace.resolved[workspace.recipe.student.model], cache)
    colour = sys.stdout.isatty()
    parts = [f"{row.id}\n{preview(tokenizer, encode_row(tokenizer, row), colour)}" for row in _first(path, count)]
    return "\n\n".join(parts)

"""What the paper trail costs: stamping and hashing as a share of a filter run, and a trace among a million rows.

    .venv/bin/python scripts/bench/terms.py [--rows 1000000] [--filtered 20000] [--folder FOLDER]

The rows are made up: a generation of so many rows from a tenth as many prompts, through a run folder as `distill run` leaves
it. Traces are whole commands, from the start of Python to the last line; the index, which the first of them makes, is timed by
itself. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from distill import artifacts
from distill.context import Context, Ranks
from distill.filter import stage as filtering
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import NearDuplicate
from distill.filter.text.finished import Finished
from distill.filter.text.length import Length
from distill.filter.text.repetition import Repetition
from distill.protocols import Summary
from distill.recipe import Recipe, dump
from distill.rows import Frozen, Message, Provenance, Row, digest, read_rows, root_of, to_line
from distill.terms.registry import shipped
from distill.trail.index import opened

HELD_OUT = 128
ROOT = Path(__file__).resolve().parents[2]
RECIPE: dict[str, Any] = {
    "name": "million",
    "teacher": {"model": "org/teacher"},
    "real": {"asked": {"data": "asked.jsonl", "prompt": "q"}},
    "generate": {"rows": 1, "methods": [{"kind": "answer", "prompts": "asked"}]},
    "mix": {"real_fraction": 0},
}
SAMPLING = {
    "temperature": 0.7,
    "top_p": 0.95,
    "top_k": 0,
    "max_new_tokens": 96,
    "seed": 17,
    "sample": 0,
    "engine": "echo",
}
WORDS = (
    "river stone lamp window paper garden winter bread letter music road cloud field glass paint ship wool salt".split()
)


class Spec(Frozen):
    rows: int


def prompts(count: int) -> Iterator[Row]:
    for number in range(count):
        said = (Message(role="user", content=f"What of {number}, the {WORDS[number % len(WORDS)]}?"),)
        made = Provenance(
            source="real", origin="asked.jsonl@1", method="real", root=root_of(said), terms=("cc-by-4.0",)
        )
        yield Row(kind="prompt", messages=said, provenance=made)


def answers(parents: list[Row], count: int) -> Iterator[Row]:
    drawn = random.Random(17)
    for number in range(count):
        parent = drawn.choice(parents)
        text = " ".join(drawn.choices(WORDS, k=60)) + f", {number}."
        terms = tuple(dict.fromkeys(["apache-2.0", *parent.provenance.terms]))
        made = Provenance(
            source="teacher", origin="org/teacher@1", method="answer", root=parent.provenance.root, parents=(parent.id,),
            depth=1, terms=terms, sampling={**SAMPLING, "finish": "stop"},
        )  # fmt: skip
        messages = (*parent.messages, Message(role="assistant", content=text))
        yield Row(kind="chat", messages=messages, provenance=made)


def node(
    cache: Path, name: str, rows: int, make: Callable[[Path], Summary], upstream: dict[str, str]
) -> artifacts.Artifact:
    described = artifacts.identity(name, 1, Spec(rows=rows), {}, upstream)
    return artifacts.build(cache, name, described, make, Ranks(), print)[0]


def generation(cache: Path, count: int) -> tuple[artifacts.Artifact, artifacts.Artifact]:
    """A split and a generation, as artifacts."""
    parents = list(prompts(max(count // 10, 1)))

    def split(out: Path) -> Summary:
        (out / "train").mkdir(exist_ok=True)
        (out / "heldout").mkdir(exist_ok=True)
        aside = list(islice(prompts(len(parents) + HELD_OUT), len(parents), None))
        for side, rows in (("train", parents), ("heldout", aside)):
            with (out / side / "asked.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(map(to_line, rows))
        return {}

    def generate(out: Path) -> Summary:
        with (out / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(map(to_line, answers(parents, count)))
        counts = {"requested": count, "failed": 0, "missing": 0}
        return {"counts": counts, "by_method": {"answer": counts}}

    first = node(cache, "split", count, split, {})
    return first, node(cache, "generate", count, generate, {"split": first.key})


def stamping(folder: Path, count: int) -> tuple[float, dict[str, float]]:
    """Share of a filter run that stamps and hashes cost, and the CPU seconds of each."""
    split, generate = generation(folder / "cache", count)
    length = Length(min_tokens=None, max_tokens=None, max_words=500)
    chain = (Finished(), length, Repetition(), NearDuplicate(), Contamination())
    spec = filtering.Spec(filter=chain, rows=1, shares={"answer": 1.0}, min_yield=0, student=None)
    spec = spec.model_copy(update={"rows": count // 2})
    context = Context(folder / "cache", {})
    started = time.process_time()
    judged = node(
        folder / "cache", "filter", count,
        lambda out: filtering.run(spec, {"split": split.path, "generate": generate.path}, out, context),
        {"generate": generate.key},
    )  # fmt: skip
    whole = time.process_time() - started
    rows = list(read_rows(generate.path / "rows.jsonl"))
    parents = {row.id: row for row in read_rows(split.path / "train" / "asked.jsonl")}
    pairs = [(row.provenance, parents[row.provenance.parents[0]].provenance) for row in rows]
    lines = [to_line(row) for row in rows]
    bare = [
        to_line(row.model_copy(update={"provenance": row.provenance.model_copy(update={"terms": ()})})) for row in rows
    ]
    with_stamps, without = best(lambda: drain(map(json.loads, lines)), lambda: drain(map(json.loads, bare)))
    hashing, stamped = best(
        lambda: drain(artifacts.file_hash(judged.path / name) for name in judged.manifest["files"]),
        lambda: drain(tuple(dict.fromkeys([*one.terms, *of.terms])) for one, of in pairs),
    )
    spent = {
        "hashing its files": hashing,
        "stamping its rows": stamped,
        "reading the stamps": max(with_stamps - without, 0.0),
    }
    return sum(spent.values()) / whole, {"filter run": whole, **spent}


def drain(work: Iterable[object]) -> None:
    """Nothing is kept: what is measured is the work, and not the memory that it would fill."""
    for _ in work:
        pass


def best(*works: Callable[[], object]) -> list[float]:
    """CPU seconds of the fastest of nine passes of each, one after the other in turn."""
    gc.collect()
    gc.disable()
    found: list[list[float]] = [[] for _ in works]
    for _ in range(9):
        for times, work in zip(found, works, strict=True):
            started = time.process_time()
            work()
            times.append(time.process_time() - started)
    gc.enable()
    return [min(times) for times in found]


def tracing(folder: Path, count: int) -> dict[str, float]:
    """Seconds of making the index, and of whole commands after it, the best of three."""
    cache, run = folder / "cache", folder / "runs" / "million"
    run.mkdir(parents=True, exist_ok=True)
    split, generate = generation(cache, count)
    for link, artifact in (("0-split", split), ("1-generate", generate)):
        (run / link).unlink(missing_ok=True)
        (run / link).symlink_to(artifact.path.resolve())
    (run / "recipe.resolved.yaml").write_text(dump(Recipe.model_validate(RECIPE)), encoding="utf-8")
    (run / "run.json").write_text(json.dumps({"base": str(folder)}), encoding="utf-8")
    started = time.perf_counter()
    index = opened(run / "1-generate", cache)
    spent = {"index, once": time.perf_counter() - started}
    opened(run / "0-split", cache)
    name = index.line(len(index) // 2)["id"]
    root = index.line(len(index) // 3)["provenance"]["root"]
    asked = {"a row": [name], "a document": ["--root", root], "a whole source": ["--source", "asked"]}
    for what, options in asked.items():
        command = [sys.executable, "-m", "distill.cli", "trace", str(run), *options, "--cache", str(cache)]
        found = []
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            found.append(time.perf_counter() - started)
        spent[what] = min(found)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description="What the paper trail costs.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to trace among (default: a million)")
    parser.add_argument("--filtered", type=int, default=20_000, help="rows of the filter run (default: 20,000)")
    parser.add_argument("--folder", type=Path, help="where the rows are made and kept; else they are removed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        share, spent = stamping(folder / digest(["filter", given.filtered])[:8], given.filtered)
        for what, seconds in spent.items():
            print(f"{what:24}{seconds:>10.3f} s")
        traced = tracing(folder / digest(["trace", given.rows])[:8], given.rows)
        for what, seconds in traced.items():
            print(f"trace, {what:17}{seconds:>10.3f} s")
    cases = yaml.safe_load((ROOT / "tests" / "terms" / "cases.yaml").read_text(encoding="utf-8"))
    figures = {
        "stamp_share": round(share, 5),
        "trace_seconds_million_rows": round(max(seconds for what, seconds in traced.items() if "index" not in what), 3),
        "index_seconds_million_rows": round(traced["index, once"], 1),
        "cases": len(cases),
        "registry_entries": len(shipped().entries),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""The filters of a recipe that ask a model, held against answers marked by hand.

    python scripts/judge_agreement.py recipes/filters/judge.yaml [--labels recipes/data/judged_answers.jsonl] [--good 4]
        [--set filter.0.by=critic] [--cache cache]

Prints, for each judge, reward, perplexity and difficulty of the recipe's chain: rows that it could not measure, accuracy
and Cohen's kappa of what it keeps against the answers that people find good, and Spearman's correlation of its score with
their marks; each with its 95% interval, resampled by question. `keep all` is what no filter at all would have.

A line of the labels is {"question", "answer", "label"}; the last line printed is one JSON object with all numbers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.agreement import Measure, accuracy, agreement, kappa, spearman
from distill.context import Context
from distill.filter.bindings import Bindings, FilterSpec
from distill.filter.opener import Opener
from distill.load import load_recipe
from distill.protocols import Verdict
from distill.recipe import Recipe
from distill.rows import Message, Provenance, Row, root_of
from distill.sources.references import resolve, served

LABELS = Path(__file__).parents[1] / "recipes" / "data" / "judged_answers.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description="How far a recipe's model filters agree with marks given by hand.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--good", type=float, default=4, help="least mark of an answer that should be kept")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe, as in distill run"
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--verdicts", type=Path, help="write what each filter said of each answer there, as JSON lines")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe, options.set)
    labelled = [json.loads(line) for line in options.labels.read_text(encoding="utf-8").splitlines()]
    rows, marks = [row_of(one) for one in labelled], [float(one["label"]) for one in labelled]
    opener = opener_of(recipe, options.recipe.parent, options.cache)
    results = [of_all(marks, rows, options.good)]
    for part in recipe.filter:
        if part.COSTLY and part.scope == "row":
            verdicts = part.bind(Bindings(open=opener)).judge(rows)
            results.append(compared(part, verdicts, marks, rows, options.good))
            if options.verdicts:
                with options.verdicts.open("a", encoding="utf-8") as file:
                    for verdict, one in zip(verdicts, labelled, strict=True):
                        file.write(
                            json.dumps({"filter": part.label, **asdict(verdict), **one}, ensure_ascii=False) + "\n"
                        )
    opener.close()
    print("\n".join(table(results)))
    print(json.dumps({"answers": len(rows), "good": sum(mark >= options.good for mark in marks), "filters": results}))


def row_of(one: dict[str, Any]) -> Row:
    messages = (Message(role="user", content=one["question"]), Message(role="assistant", content=one["answer"]))
    provenance = Provenance(source="real", origin="labelled@hand", method="real", root=root_of(messages))
    return Row(kind="chat", messages=messages, provenance=provenance)


def opener_of(recipe: Recipe, folder: Path, cache: Path) -> Opener:
    """What the filters open: their models, and the teachers that they ask."""
    resolved = {
        ref: served(ref) if ref in recipe.served else resolve(ref, "model", folder, Path("runs"), cache)
        for ref in recipe.filtered_by
    }
    return Opener(Context(cache, resolved, recipe.runtime), {name: recipe.cast[name] for name in recipe.judging})


def of_all(marks: list[float], rows: list[Row], good: float) -> dict[str, Any]:
    """Every answer kept."""
    fits = [float(mark >= good) for mark in marks]
    roots = [row.provenance.root for row in rows]
    return {
        "filter": "keep all", "missing": 0, "kept": len(rows),
        "accuracy": asdict(agreement(accuracy, fits, [1.0] * len(fits), roots)),
    }  # fmt: skip


def compared(
    part: FilterSpec, verdicts: list[Verdict], marks: list[float], rows: list[Row], good: float
) -> dict[str, Any]:
    """One filter against the marks. What it could not measure has no score; whether it was kept counts all the same."""
    roots = [row.provenance.root for row in rows]
    fits = [float(mark >= good) for mark in marks]
    kept = [float(verdict.keep) for verdict in verdicts]
    scored = [place for place, verdict in enumerate(verdicts) if verdict.score is not None]
    result: dict[str, Any] = {"filter": part.label, "missing": len(rows) - len(scored), "kept": int(sum(kept))}
    measures: dict[str, Measure] = {"accuracy": accuracy, "kappa": kappa}
    for name, measure in measures.items():
        result[name] = asdict(agreement(measure, fits, kept, roots))
    if scored:
        scores = [verdicts[place].score or 0.0 for place in scored]
        result["spearman"] = asdict(
            agreement(spearman, [marks[place] for place in scored], scores, [roots[place] for place in scored])
        )
    return result


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    yield "| filter | answers | not measured | kept | accuracy | kappa | Spearman |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for one in results:
        said = [
            f"{one[name]['value']:.2f} ({one[name]['low']:.2f} to {one[name]['high']:.2f})" if name in one else ""
            for name in ("accuracy", "kappa", "spearman")
        ]
        yield f"| {one['filter']} | {one['accuracy']['n']} | {one['missing']} | {one['kept']} | {' | '.join(said)} |"


if __name__ == "__main__":
    main()

"""A run folder -> Markdown: what its generation made of which model, with rows that nobody picked.

    python scripts/evidence.py runs/evolve [--rows 20] > evidence.md
    python scripts/evidence.py runs/exam --benchmark > evidence.md

For the pages of docs/methods/. The rows are the first kept ones in the order of their ids, which are hashes of their
content: neither the first made nor the best.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.filter.ledger import Account
from distill.rows import Row, read_rows

SAMPLING = frozenset(
    "temperature top_p top_k max_new_tokens seed sample template engine dtype prompt_template finish date helped".split()
)
"""What of the notes of a row is the same for all, or said elsewhere."""
LONGEST = 600
"""Most characters of one message that are shown."""


def main() -> None:
    parser = argparse.ArgumentParser(description="The evidence of a run, as Markdown.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--benchmark", action="store_true", help="of the items of a benchmark instead of training rows")
    options = parser.parse_args()
    print("\n".join((items if options.benchmark else page)(options.run, options.rows)))


def page(run: Path, count: int) -> Iterator[str]:
    """Models, counts by method, reasons, rows."""
    manifest = json.loads((run / "1-generate" / "manifest.json").read_text(encoding="utf-8"))
    ledger = json.loads((run / "2-filter" / "ledger.json").read_text(encoding="utf-8"))
    kept = sorted(read_rows(run / "2-filter" / "kept.jsonl"), key=lambda row: row.id)
    yield from models(manifest["identity"]["spec"]["teachers"], kept)
    yield from table(manifest["summary"]["by_method"], ledger)
    yield from reasons(ledger["teacher"], run / "1-generate" / "failures.jsonl")
    yield f"\n{min(count, len(kept))} of the {len(kept)} kept rows, in the order of their ids:\n"
    for row in kept[:count]:
        yield from shown(row)


def items(run: Path, count: int) -> Iterator[str]:
    """The same of a benchmark, whose node keeps what is confirmed and nothing else."""
    folder = run / "1-benchmark"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kept = sorted(read_rows(folder / "rows.jsonl"), key=lambda row: row.id)
    by_method = manifest["summary"]["by_method"]
    accounts = {name: vars(Account(asked["requested"], kept=asked["parsed"])) for name, asked in by_method.items()}
    yield from models(manifest["identity"]["spec"]["teachers"], kept)
    yield from table(by_method, {"by_method": accounts})
    yield from reasons({"dropped": {}}, folder / "failures.jsonl")
    yield f"\n{min(count, len(kept))} of the {len(kept)} items, in the order of their ids:\n"
    for row in kept[:count]:
        yield from shown(row)


def models(teachers: dict[str, Any], kept: list[Row]) -> Iterator[str]:
    """Each model by what it is: `sha256:…` of its files, or a commit."""
    origins = {row.provenance.origin for row in kept}
    yield "| model | is | engine |\n|---|---|---|"
    for name, teacher in teachers.items():
        origin = next((one for one in sorted(origins) if one.endswith(teacher["model"])), teacher["model"])
        engine = ", ".join(str(value) for value in teacher["engine"].values() if value)
        yield f"| {name} | `{Path(origin.partition('@')[0]).name}@{origin.partition('@')[2]}` | {engine} |"


def table(by_method: dict[str, Any], ledger: dict[str, Any]) -> Iterator[str]:
    """What was asked, what was kept, and what a kept row cost."""
    yield "\n| method | candidates | kept by all filters | yield | tokens read and written per kept row |"
    yield "|---|---:|---:|---:|---:|"
    for method, asked in by_method.items():
        account = Account(**ledger["by_method"][method])
        kept = account.kept
        tokens = asked["prompt_tokens"] + asked["new_tokens"]
        cost = f"{tokens / kept:,.0f}" if kept else "–"
        yield f"| {method} | {asked['requested']} | {kept} | {kept / asked['requested']:.0%} | {cost} |"


def reasons(account: dict[str, Any], failures: Path) -> Iterator[str]:
    """Why the others came to nothing, commonest first."""
    lost: dict[str, int] = dict(account["dropped"])
    for line in failures.read_text(encoding="utf-8").splitlines():
        failure = json.loads(line)
        reason = f"{failure['method'].partition('[')[0]}.{failure['reason']}"
        lost[reason] = lost.get(reason, 0) + 1
    if lost:
        named = ", ".join(f"{count} `{reason}`" for reason, count in sorted(lost.items(), key=lambda one: -one[1]))
        yield f"\nNot kept: {named}."


def shown(row: Row) -> Iterator[str]:
    """One row as a quotation."""
    yield f"**{row.id}** {row.provenance.method}\n"
    messages: list[tuple[str, str]] = [(message.role, message.content) for message in row.messages]
    messages += [("rejected", message.content) for message in row.rejected]
    messages += [(f"evidence: {name}", text) for name, text in row.evidence.items()]
    for role, text in messages:
        cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
        yield f"> **{role}:**"
        yield "\n".join(f"> {line}".rstrip() for line in cut.replace("<", "\\<").splitlines())
        yield ">"
    drawn = row.provenance.sampling
    notes = {name: value for name, value in drawn.items() if name not in SAMPLING and value not in ("", [], {}, None)}
    if notes:
        yield f"> {', '.join(f'{name}: {json.dumps(value, ensure_ascii=False)}' for name, value in notes.items())}"
    if row.scores:
        yield f"> scores: {', '.join(f'{name} {value:g}' for name, value in row.scores.items())}"
    yield ""


if __name__ == "__main__":
    main()

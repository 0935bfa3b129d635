"""folder of a filter stage -> rows.html: kept and dropped rows side by side, to be searched and read.

One file that asks nothing of any network. Its one script is let in by its hash, and all that models wrote is data to it,
which it shows as text: nothing in a row can become markup or run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distill.compare.chosen import choose
from distill.compare.flow import changed
from distill.compare.html import pages
from distill.compare.pages import assets, data
from distill.errors import SourceError

NAME = "rows.html"
BESIDE: dict[str, Any] = {"by_origin": {}, "overlap": {}, "changed": {}}
"""What a ledger that was written by hand may lack."""


def write(folder: Path, title: str, out: Path) -> Path:
    """The page of the rows in `folder`, written into the folder `out`.

    Raises:
        SourceError: no filter has written there.
    """
    if not (folder / "ledger.json").is_file():
        raise SourceError("no rows that filters judged", where=str(folder), hint="distill run RECIPE --until filter")
    page = out / NAME
    draft = out / f".{NAME}.new"
    draft.write_text(render(folder, title), encoding="utf-8")
    draft.replace(page)
    return page


def render(folder: Path, title: str) -> str:
    """The whole file."""
    from markupsafe import Markup

    chosen = choose(folder)
    ledger = {**BESIDE, **json.loads((folder / "ledger.json").read_text(encoding="utf-8"))}
    return (
        pages()
        .get_template("rows.html.j2")
        .render(
            title=title,
            ledger=ledger,
            changed=changed(ledger),
            shown=len(chosen.rows),
            total=chosen.total,
            reasons=_reasons(ledger),
            data=Markup(data(chosen.rows)),
            **assets(("report.css", "list.css", "rows.css"), ("list.js", "rows.js")),
        )
    )


def _reasons(ledger: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Teacher's and real rows dropped for each reason, commonest first."""
    teacher, real = ledger["teacher"]["dropped"], ledger["real"]["dropped"]
    counts = {reason: (teacher.get(reason, 0), real.get(reason, 0)) for reason in {**teacher, **real}}
    return dict(sorted(counts.items(), key=lambda one: (-sum(one[1]), one[0])))

"""What a dry run shows: every question and answer, what became of it, and an estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.context import Context
from distill.generate.preview import preview
from distill.generate.settings import Spec
from distill.protocols import KEEP, Completion, Judged, Request, Verdict
from tests.generate.conftest import MODEL, Canned, Say, echo

METHODS = [
    {"kind": "answer", "prompts": "chat", "share": 0.5, "system": "Be brief."},
    {"kind": "self_instruct", "seeds": "chat", "share": 0.5},
]


class Odd:
    """Drops what is answered to a question with an odd number."""

    def alone(self, rows):  # type: ignore[no-untyped-def]
        drop = Verdict(False, "odd", evidence="it is odd")
        return [Judged(row, KEEP if row.question[-2] in "02468" else drop, "number") for row in rows]


def spec(rows: int = 100, methods: list[dict[str, Any]] = METHODS) -> Spec:
    generate = {"rows": rows, "methods": methods}
    return Spec.model_validate(
        {"teachers": {"teacher": {"model": MODEL}}, "generate": generate, "filter": (), "seed": 7}
    )


def test_it_shows_what_is_said_and_what_became_of_it(
    split: Path, context: Context, use: Callable[[Say], Canned]
) -> None:
    def say(request: Request) -> str | Completion:
        if len(request.messages) > 2:
            return Completion(request.key, "", "error", 0, 0, error="too hot")
        return echo(request)

    engine = use(say)
    text = preview(spec(), split, replace(context, accept=Odd()), 3)  # type: ignore[arg-type]
    assert text.count("--- answer, candidate") == 3 and text.count("--- self_instruct, candidate") == 3
    assert "system:\n    Be brief." in text and "=> teacher, stop, " in text
    assert "kept by the filters" in text or "dropped: number.odd (it is odd)" in text
    assert "no row: engine_error (too hot)" in text
    assert "estimate by the first 6: about " in text and "tokens" in text.splitlines()[-1]
    assert len(engine.asked) == 6 and engine.closed


def test_of_many_cells_a_few_are_shown(split: Path, context: Context, use: Callable[[Say], Canned]) -> None:
    engine = use(lambda request: f"What is {request.key}?")
    grid = {"kind": "grid", "axes": {"domain": [f"number {number}" for number in range(50)]}}
    text = preview(spec(methods=[grid]), split, context, 2)
    assert text.count("--- grid[domain=") == 8 and len(engine.asked) == 16
    assert "(kept: grid 100%)" in text.splitlines()[-1]

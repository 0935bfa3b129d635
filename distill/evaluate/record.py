"""an item with all that an arm made of it -> a line of items.jsonl, and what the stage says of all lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.evaluate.answers import Item
from distill.evaluate.asked import Asked, thinking
from distill.evaluate.scoring import Scored
from distill.protocols import Completion
from distill.rows import digest, to_json
from distill.suites.suite import Judged

Line = dict[str, Any]


def line(
    suites: Asked,
    item: Item,
    scored: Scored | None,
    judged: Judged | None,
    said: Mapping[str, Sequence[Completion]],
) -> Line:
    """One item. Measures that could not be taken are absent, never zero."""
    row = item.row
    scored, judged = scored or Scored(item.key), judged or Judged()
    answers = suites.texts(item, said[item.key]) if item.key in said else ()
    # Of an item that is scored without its answer, a failed answer takes nothing away.
    likely = suites.suites[item.suite].ASKS == "likelihood"
    measures = {**scored.measures, **judged.measures}
    return {
        "suite": item.suite,
        "item": row.id,
        "root": row.provenance.root,
        "asked": digest([message.model_dump() for message in row.prompt])[:16],
        "question": row.question,
        "reference": row.answer,
        "answer": answers[0] if answers else judged.answer,
        "answers": list(answers[1:]),
        "found": judged.found,
        "why": judged.why,
        "confidence": judged.confidence,
        "metrics": {name: one for name, one in measures.items() if math.isfinite(one["value"])},
        "error": scored.error if likely else judged.error,
    }


def write(path: Path, lines: Iterable[Line]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(to_json(line) + "\n" for line in lines)


def decoding(suites: Asked) -> dict[str, Any]:
    """How every suite is answered: arms that differ in it cannot be compared. Thinking is kept apart from answers."""
    how: dict[str, Any] = {"thinking": "apart"}
    for item, one in suites.answered:
        how.setdefault(item.suite, {**one.sampling.model_dump(), "samples": one.samples, "items": 0})["items"] += 1
    return how


def metrics(suites: Asked) -> dict[str, dict[str, Any]]:
    """What `<suite>.<metric>` means, and which way of it is better."""
    return {
        f"{label}.{name}": asdict(metric)
        for label, measured in suites.metrics.items()
        for name, metric in measured.items()
    }


def unscored(lines: Sequence[Line]) -> list[str]:
    reasons = Counter(line["error"] for line in lines if line["error"])
    return [f"{count} of {len(lines)} items could not be scored: {why}." for why, count in reasons.most_common()]


def unfinished(told: Sequence[Completion]) -> list[str]:
    """Of all answers, those that failed, were cut while thinking, or were cut."""
    errors = Counter(str(completion.error) for completion in told if completion.finish == "error")
    notes = [f"{count} of {len(told)} questions got no answer: {why}." for why, count in errors.most_common()]
    thought = sum(map(thinking, told))
    if thought:
        notes.append(f"{thought} of {len(told)} answers were cut while thinking and count as not answered.")
    cut = sum(completion.finish == "length" for completion in told)
    return [*notes, f"{cut} of {len(told)} answers were cut at max_new_tokens."] if cut else notes

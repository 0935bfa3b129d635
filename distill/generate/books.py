"""candidates that were asked -> counts that add up, failures.jsonl, notes, and the error of a run that fell short."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from distill.errors import YieldError
from distill.generate.drive import MISSING
from distill.generate.rounds import Asked, Rounds
from distill.protocols import Summary


def write_failures(path: Path, candidates: Sequence[Asked]) -> None:
    """One line for every candidate without a row."""
    with path.open("w", encoding="utf-8") as file:
        for asked in candidates:
            if asked.outcome.row is None:
                line = {"method": asked.stream.name, "index": asked.index}
                line |= {"reason": asked.outcome.reason, "detail": asked.outcome.detail}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def counts(candidates: Sequence[Asked]) -> Summary:
    """`counts` in total and `by_method`: requested = parsed + failed + missing."""
    empty = {"requested": 0, "parsed": 0, "failed": 0, "missing": 0}
    total, by_method = dict(empty), {asked.stream.name: dict(empty) for asked in candidates}
    for asked in candidates:
        outcome = asked.outcome
        became = "parsed" if outcome.row is not None else "missing" if outcome.reason == MISSING else "failed"
        for books in (total, by_method[asked.stream.name]):
            books["requested"] += 1
            books[became] += 1
    return {"counts": total, "by_method": by_method}


def notes(rounds: Rounds) -> list[str]:
    """What a user should see: methods that waste more than they give, and why."""
    found = []
    for stream in rounds.streams:
        if stream.asked >= 8 and stream.kept < stream.asked / 2:
            reasons = ", ".join(f"{count} {reason}" for reason, count, _ in lost(rounds.asked, stream.name)[:3])
            found.append(f"{stream.name}: {stream.kept} of {stream.asked} candidates were accepted ({reasons})")
    return found


def lost(candidates: Sequence[Asked], method: str | None = None) -> list[tuple[str, int, str]]:
    """Why candidates came to nothing, commonest first: (`<filter or method>.<reason>`, how many, an example)."""
    number: Counter[str] = Counter()
    example: dict[str, str] = {}
    for asked in candidates:
        if asked.kept or (method is not None and asked.stream.name != method):
            continue
        row, judged = asked.outcome.row, asked.judged
        if row is None or judged is None:
            reason, shown = f"{asked.stream.name}.{asked.outcome.reason}", asked.outcome.detail
        else:
            reason = f"{judged.filter}.{judged.verdict.reason}"
            found = f" ({judged.verdict.evidence})" if judged.verdict.evidence else ""
            shown = f"{row.question[:100]!r} -> {row.answer[:100]!r}{found[:120]}"
        number[reason] += 1
        example.setdefault(reason, " ".join(shown.split())[:300])
    ordered = sorted(number, key=lambda reason: (-number[reason], reason))
    return [(reason, number[reason], example[reason]) for reason in ordered]


def shortfall(rounds: Rounds) -> YieldError:
    """What was kept of what was asked, the commonest reasons with an example of each, and what to change."""
    asked, quota = len(rounds.asked), sum(stream.quota for stream in rounds.streams)
    lines = [f"{rounds.kept} of {quota} rows were accepted, from {asked} candidates"]
    hints = []
    for stream in rounds.streams:
        line = (
            f"  {stream.name}: {min(stream.kept, stream.quota)} of {stream.quota} rows from {stream.asked} candidates"
        )
        if stream.need and stream.exhausted:
            line += f", which are all that {stream.method.data!r} offers"
            hints.append(f"give {stream.name} more prompts or samples, or a smaller share")
        lines.append(line)
    if rounds.hopeless:
        lines.append(f"  stopped: that is under generate.min_yield {rounds.min_yield:g}")
    elif asked >= rounds.budget:
        hints.append(f"raise generate.budget.candidates (now {rounds.budget})")
    for reason, count, example in lost(rounds.asked)[:5]:
        lines.append(f"  {count} {reason}, such as {example}")
    hints.append("loosen the filter that drops most, or ask for fewer rows; answers are kept and not asked for again")
    return YieldError("\n".join(lines), where="generate", hint="; ".join(hints))

"""candidates that were asked -> counts that add up, failures.jsonl, notes, and the error of a run that fell short."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from distill.errors import YieldError
from distill.generate.coverage import coverage, families
from distill.generate.drive import MISSING
from distill.generate.rounds import Asked, Rounds
from distill.generate.settings import Budget
from distill.generate.streams import Stream
from distill.protocols import Summary

SHORT = 5
"""Cells of a method that are named where they are not full."""
SPENT: dict[str, float] = {"prompt_tokens": 0, "new_tokens": 0, "cost": 0}


def write_failures(path: Path, candidates: Sequence[Asked]) -> None:
    """One line for every candidate without a row."""
    with path.open("w", encoding="utf-8") as file:
        for asked in candidates:
            if asked.outcome.row is None:
                line = {"method": asked.stream.name, "index": asked.index}
                line |= {"reason": asked.outcome.reason, "detail": asked.outcome.detail}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def counts(candidates: Sequence[Asked]) -> Summary:
    """`counts` in total and `by_method`: requested = parsed + failed + missing; with the tokens and money of each."""
    empty: dict[str, float] = {"requested": 0, "parsed": 0, "failed": 0, "missing": 0}
    total, by_method = dict(empty), {asked.stream.name: {**empty, **SPENT} for asked in candidates}
    for asked in candidates:
        outcome = asked.outcome
        became = "parsed" if outcome.row is not None else "missing" if outcome.reason == MISSING else "failed"
        own = by_method[asked.stream.name]
        for books in (total, own):
            books["requested"] += 1
            books[became] += 1
        own["prompt_tokens"] += asked.spent.prompt_tokens
        own["new_tokens"] += asked.spent.new_tokens
        own["cost"] = round(own["cost"] + asked.spent.cost, 9)
    return {"counts": total, "by_method": by_method}


def notes(rounds: Rounds) -> list[str]:
    """What a user should see: methods that waste more than they give, and why; how cells are covered."""
    found = []
    for name, streams in families(rounds.streams).items():
        asked, kept = sum(stream.asked for stream in streams), sum(stream.kept for stream in streams)
        found += coverage(name, streams)
        if asked >= 8 and kept < asked / 2:
            reasons = ", ".join(f"{count} {reason}" for reason, count, _ in lost(rounds.asked, name)[:3])
            found.append(f"{name}: {kept} of {asked} candidates were accepted ({reasons})")
    return found


def lost(candidates: Sequence[Asked], family: str | None = None) -> list[tuple[str, int, str]]:
    """Why candidates came to nothing, commonest first: (`<filter or method>.<reason>`, how many, an example)."""
    number: Counter[str] = Counter()
    example: dict[str, str] = {}
    for asked in candidates:
        if asked.kept or (family is not None and asked.stream.family != family):
            continue
        row, judged = asked.outcome.row, asked.judged
        if row is None or judged is None:
            reason, shown = f"{asked.stream.family}.{asked.outcome.reason}", asked.outcome.detail
        else:
            reason = f"{judged.filter}.{judged.verdict.reason}"
            found = f" ({judged.verdict.evidence})" if judged.verdict.evidence else ""
            shown = f"{row.question[:100]!r} -> {row.answer[:100]!r}{found[:120]}"
        number[reason] += 1
        example.setdefault(reason, " ".join(shown.split())[:300])
    ordered = sorted(number, key=lambda reason: (-number[reason], reason))
    return [(reason, number[reason], example[reason]) for reason in ordered]


def shortfall(rounds: Rounds, budget: Budget) -> YieldError:
    """What was kept of what was asked, the commonest reasons with an example of each, and what to change."""
    asked, quota = len(rounds.asked), sum(stream.quota for stream in rounds.streams)
    lines = [f"{rounds.kept} of {quota} rows were accepted, from {asked} candidates"]
    hints = []
    for name, streams in families(rounds.streams).items():
        short, cells = [stream for stream in streams if stream.need], coverage(name, streams)
        lines += [f"  {filling(stream)}" for stream in (short[:SHORT] if cells else streams)]
        lines += [f"  {line}" for line in cells]
        if any(stream.exhausted for stream in short):
            more = "hold out more (split.held_out_prompts), or " if rounds.what == "benchmark" else ""
            hints.append(f"{more}give {name} more prompts or samples, or a smaller share")
        elif cells and short:
            hints.append("leave out cells that the teacher cannot fill (weight 0)")
    if rounds.hopeless:
        lines.append(f"  stopped: that is under {rounds.what}.min_yield {rounds.min_yield:g}")
    elif rounds.driver.exhausted:
        spent = rounds.driver.spent
        lines.append(f"  stopped: the budget is spent, {spent.tokens:,.0f} tokens{money(spent.cost)}")
        known = {"tokens": budget.tokens, "cost": budget.cost}
        named = " or ".join(f"{rounds.what}.budget.{name} (now {most:g})" for name, most in known.items() if most)
        hints.append(f"raise {named}: what was asked already costs nothing again")
    elif asked >= rounds.budget:
        hints.append(f"raise {rounds.what}.budget.candidates (now {rounds.budget})")
    for reason, count, example in lost(rounds.asked)[:5]:
        lines.append(f"  {count} {reason}, such as {example}")
    filtered = any(one.judged is not None and not one.judged.verdict.keep for one in rounds.asked)
    loosen = "loosen the filter that drops most, or " if filtered else ""
    hints.append(f"{loosen}ask for fewer rows; answers are kept and not asked for again")
    return YieldError("\n".join(lines), where=rounds.what, hint="; ".join(hints))


def filling(stream: Stream) -> str:
    """How far a stream came."""
    kept = min(stream.kept, stream.quota)
    line = f"{stream.name}: {kept} of {stream.quota} rows from {stream.asked} candidates"
    all_of_it = f", which are all that {stream.source!r} offers"
    return line + (all_of_it if stream.need and stream.exhausted else "")


def money(cost: float) -> str:
    return f" and {cost:.4g} in money" if cost else ""

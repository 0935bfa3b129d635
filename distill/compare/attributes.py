"""`guard.attributes` of a recipe + real rows, kept teacher rows, the student's answers -> the share of each that has them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from distill.collapse.attributes import Attribute, amplified, share
from distill.compare.arms import STUDENT, Arm, answers
from distill.compare.diversity import AttributeShares
from distill.rows import digest, read_rows

ROWS = 20_000
"""Most texts of one corpus that are looked at, by their hash."""
PEOPLE, TEACHER = "real", "teacher"
FILES = {PEOPLE: "real.jsonl", TEACHER: "kept.jsonl"}


def attributes(
    asked: Sequence[Attribute], filtered: Path, arms: Sequence[Arm], held_out: Sequence[str], seed: int
) -> tuple[dict[str, AttributeShares], list[str]]:
    """By the attribute's name, and why one has no shares.

    Args:
        filtered: folder of the filter.
        held_out: suites of held-out prompts: what is said to others is no text beside people's, but a letter or a number.
    """
    if not asked:
        return {}, []
    texts = {corpus: _drawn(_rows(filtered / name), seed) for corpus, name in FILES.items()}
    texts[STUDENT] = [text for arm in arms if arm.name == STUDENT for text in answers(arm, held_out)]
    found: dict[str, AttributeShares] = {}
    notes: list[str] = []
    for one in asked:
        shares = {corpus: share(one, said) for corpus, said in texts.items()}
        told = {corpus: part for corpus, part in shares.items() if part.told}
        if PEOPLE not in told:
            notes.append(
                f"The share of {one.name} has nothing to be held against: no real row of which it can be told."
            )
            continue
        whole = len(told) == len(texts)
        found[one.name] = AttributeShares(
            kind=one.kind,
            values={corpus: part.value for corpus, part in told.items()},
            ci95={corpus: part.interval for corpus, part in told.items()},
            beside={corpus: part.beside(told[PEOPLE]) for corpus, part in told.items() if corpus != PEOPLE},
            told={corpus: part.told for corpus, part in shares.items()},
            untold={corpus: part.untold for corpus, part in shares.items()},
            amplified=whole and amplified(told[PEOPLE], told[TEACHER], told[STUDENT]),
        )
    return found, notes


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and answers."""
    if path.is_file():
        yield from ((row.id, row.answer) for row in read_rows(path) if row.answer)


def _drawn(rows: Iterable[tuple[str, str]], seed: int) -> list[str]:
    """Those with the lowest hashes: the same from any order."""
    return [text for _, text in heapq.nsmallest(ROWS, ((digest([seed, key]), text) for key, text in rows))]

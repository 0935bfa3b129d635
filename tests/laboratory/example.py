"""A laboratory as runs would fill it in, with the unigram simulation in place of a network: losses by item, measures, samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from distill.laboratory.keeping import PEOPLE, Keep
from distill.laboratory.record import Cell, Item, Laboratory, Mixed, Sample, Sweep
from distill.laboratory.simulation import UNSEEN, Student, simulate, zipf

if TYPE_CHECKING:
    import numpy.typing as npt

    from distill.laboratory.simulation import Counts, Shares

    Texts = Sequence[npt.NDArray[np.int64]]

GRID: tuple[tuple[Keep, float], ...] = (
    ("replace", 0.0), ("replace", 0.1), ("accumulate", 0.0), ("subsample", 0.0),
)  # fmt: skip
TYPES, ROWS, ITEMS = 1500, 4000, 120
TRUTH = zipf(TYPES, 1.05)
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "el", "or")]
PROMPTS = ("How do the tides come about?", "What is <b>compound</b> interest?", "Tell me of the Silk Road.")


def word(number: int) -> str:
    """The more rare, the longer, as words are."""
    parts: list[str] = []
    while number or not parts:
        number, place = divmod(number, len(SYLLABLES))
        parts.append(SYLLABLES[place])
    return "".join(parts)


def laboratory(
    generations: int = 5,
    seeds: Iterable[int] = (0, 1, 2),
    grid: Iterable[tuple[Keep, float]] = GRID,
    temperature: float = 0.85,
) -> Laboratory:
    rng = np.random.default_rng(11)
    texts = [rng.choice(TYPES, size=rng.integers(6, 40), p=TRUTH) for _ in range(ITEMS)]
    items = tuple(
        Item(id=f"i{number:04}", root=f"r{number // 2}", tokens=len(text)) for number, text in enumerate(texts)
    )
    cells: list[Cell] = []
    for seed in seeds:
        for keep, fraction in grid:
            students = simulate(
                TRUTH, ROWS, keep, generations, real_fraction=fraction, temperature=temperature, seed=seed
            )
            people = students[0].written
            first = 1 if any(cell.generation == 0 and cell.seed == seed for cell in cells) else 0
            cells += [_cell(keep, fraction, seed, student, people, texts) for student in students[first:]]
    return Laboratory(
        name="unigrams",
        cells=tuple(cells),
        items=items,
        base_loss=float(np.log(TYPES)),
        settings={
            "student": "shares of words",
            "temperature": f"{temperature:g}",
            "rows": f"{ROWS:,} words a generation",
        },
        references=tuple(Sample(prompt=prompt, text=_text(TRUTH, index, 0)) for index, prompt in enumerate(PROMPTS)),
    )


def _cell(keep: Keep, fraction: float, seed: int, student: Student, people: Counts, texts: Texts) -> Cell:
    losses = _losses(student, texts)
    tokens = np.array([len(text) for text in texts])
    rare = np.argsort([TRUTH[text].mean() for text in texts])[: len(texts) // 10]
    return Cell(
        keep=keep,
        real_fraction=fraction,
        seed=seed,
        generation=student.generation,
        loss=float((losses * tokens).sum() / tokens.sum()),
        losses=tuple(losses.tolist()),
        rare_loss=float((losses * tokens)[rare].sum() / tokens[rare].sum()),
        train_loss=float(-(student.shares * np.log(_known(student))).sum()),
        rows=sum(student.parts.values()),
        real_rows=student.parts.get(PEOPLE, 0),
        measures=_measures(student.written, people),
        people=_measures(people, people),
        samples=tuple(
            Sample(prompt=prompt, text=_text(student.shares, index, seed)) for index, prompt in enumerate(PROMPTS)
        ),
        seconds=20.0 + 7 * sum(student.parts.values()) / ROWS,
        run=f"unigrams-{keep}-{fraction:g}-{seed}-{student.generation}",
    )


def _known(student: Student) -> Shares:
    known = student.shares * ROWS + UNSEEN
    found: Shares = known / known.sum()
    return found


def _losses(student: Student, texts: Texts) -> Shares:
    known = -np.log(_known(student))
    return np.array([known[text].mean() for text in texts])


def _measures(written: Counts, people: Counts) -> dict[str, float]:
    shares = written[written > 0] / written.sum()
    tail = (people > 0) & (people <= 5)
    return {
        "coverage": float((written[people > 0] > 0).mean()),
        "tail_coverage": float((written[tail] > 0).mean()),
        "entropy_1": float(-(shares * np.log2(shares)).sum()),
        "vendi": float(np.exp(-(shares * np.log(shares)).sum())),
        "hapax": float((written[written > 0] == 1).mean()),
    }


def _text(shares: Shares, index: int, seed: int) -> str:
    rng = np.random.default_rng([index, seed])
    return " ".join(word(int(kind)) for kind in rng.choice(TYPES, size=14, p=shares)).capitalize() + "."


def sweep(shares: Iterable[float], seeds: Iterable[int] = (0, 1, 2), best: float = 0.3, depth: float = 0.4) -> Sweep:
    """Losses on a curve with its lowest point at `best`, `depth` nats above it at a distance of one, and noise by seed and item."""
    rng = np.random.default_rng(5)
    items = tuple(Item(id=f"i{number}", root=f"r{number}", tokens=int(rng.integers(5, 40))) for number in range(80))
    hard = rng.normal(2.5, 0.5, len(items))
    weights = np.array([item.tokens for item in items]) / sum(item.tokens for item in items)
    points = []
    for seed in seeds:
        for share in shares:
            losses = hard + depth * (share - best) ** 2 + rng.normal(0, 0.01) + rng.normal(0, 0.05, len(items))
            loss = float(losses @ weights)
            points.append(
                Mixed(share=share, seed=seed, loss=loss, losses=tuple(losses.tolist()), rows=1000, seconds=30)
            )
    return Sweep(name="mixing", items=items, points=tuple(points))

"""What went wrong + what the recipe says already -> lines of a recipe that help against it, each with its reason.

A line is `key.path: value`, to be given with `--set key.path=value` or written into the recipe; one that begins with `--set` is
one more entry at the end of the recipe's filters, as it is typed. What is in force already is no line. A test reads every
line as part of a recipe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distill.rows import Frozen

ENTRY = "--set filter+="
"""Before an entry, in quotes, that is added to the recipe's filters."""
MODEL = "MODEL"
"""Stands in a line for a reference of the user's own, where the recipe has no student whose model would do."""
ROWS = "run:NAME/mix"
"""Stands in a line for the rows of an earlier run of the user's own."""
ANCHOR, PLAIN, SAME, SURE = 0.5, 1.0, 0.7, 0.9
"""What is advised: share of people's rows, temperature, likeness of near duplicates, probability of tokens left out."""


class Now(Frozen):
    """What of a recipe decides which lines help; as it is by default none of them is in force."""

    real_fraction: float = 0.0
    max_synthetic: float = 0.3
    """Of `guard`."""
    earlier: bool = False
    """Whether rows of earlier runs are learnt too."""
    temperature: float = 0.0
    filters: tuple[str, ...] = ()
    """Kinds of filters of these lines that need not be added."""
    model: str = MODEL
    """Whose surprise filters go by."""
    train: str = "train"
    """Key path of the training."""
    learning_rate: float | None = None
    """None: not known, and no line of it."""
    best: bool = True
    """Whether the student is its best checkpoint."""
    patience: bool = False
    surest: bool = False
    """Whether tokens that the student is sure of are left out, or cannot be."""


UNSAID = Now()


@dataclass(frozen=True)
class Remedy:
    line: str
    why: str
    against: frozenset[str]
    """Names of measures, or of findings."""

    def __str__(self) -> str:
        return f"{self.line}   # {self.why}"


TAIL = frozenset({"coverage", "tail_coverage", "hapax"})
SPREAD = frozenset({"entropy_1", "entropy_2", "distinct_1", "distinct_2", "distinct_3", "dispersion", "vendi"}) | {
    "vendi_embedded",
    "dispersion_embedded",
}
REPEATED = frozenset({"compression", "self_repetition", "self_bleu"})
LOSS = frozenset({"real_loss"})
FILTERED, SYNTHETIC, STUDENT = frozenset({"filtered_tail"}), frozenset({"synthetic"}), frozenset({"student_teacher"})


def remedies(now: Now) -> Iterator[Remedy]:
    """Every line that is not in force already; those that help most against something come first."""
    yield from _of_pace(now)
    yield from _of_rows(now)
    yield from _of_filters(now)
    yield from _of_training(now)


def _of_pace(now: Now) -> Iterator[Remedy]:
    """What makes a sound mix into a worse student."""
    if now.learning_rate is not None:
        yield Remedy(
            f"{now.train}.learning_rate: {now.learning_rate / 2:g}",
            "half of what it is: smaller steps take a student less far from what its base knows",
            LOSS,
        )
    if not now.best:
        yield Remedy(
            f"{now.train}.checkpoint: best",
            "the student is the checkpoint with the least loss on real rows, not the last (needs mix.validation_rows)",
            LOSS,
        )


def _of_rows(now: Now) -> Iterator[Remedy]:
    enough = math.ceil(round(100 * (1 - now.max_synthetic), 6)) / 100
    if enough > now.real_fraction:
        yield Remedy(
            f"mix.real_fraction: {enough:g}", "as many of people's rows as guard.max_synthetic asks for", SYNTHETIC
        )
    if now.real_fraction < ANCHOR:
        yield Remedy(
            f"mix.real_fraction: {ANCHOR:g}",
            "an anchor of people's rows: with a tenth of them each generation, collapse was minor (Shumailov et al. 2024)",
            TAIL | LOSS | STUDENT | SPREAD | REPEATED,
        )
    if not now.earlier:
        yield Remedy(
            f"mix.earlier: [{ROWS}]",
            "rows of the generations before are kept and added to, not replaced (Gerstgrasser et al., arXiv:2404.01413)",
            STUDENT | LOSS,
        )
    if now.temperature < PLAIN:
        yield Remedy(
            f"generate.sampling.temperature: {PLAIN}",
            "a lower one samples the middle of what the teacher knows, and its tail never",
            SPREAD | TAIL,
        )


def _of_filters(now: Now) -> Iterator[Remedy]:
    for kind, said, why, against_what in (
        ("near_duplicate", f"threshold: {SAME:g}", "rows that say the same again make place for others", REPEATED),
        (
            "surprising",
            f"model: {now.model}, oversample: 2.0",
            "of twice the rows those that surprise are drawn more often (Gambetta et al., arXiv:2410.12341)",
            TAIL | SPREAD,
        ),
        (
            "perplexity",
            f"model: {now.model}, drop_lowest: 0.1, drop_highest: 0.02",
            "two-sided: more of the predictable end than of the surprising one",
            FILTERED | SPREAD,
        ),
    ):
        if kind not in now.filters:
            yield Remedy(f"{ENTRY}'{{kind: {kind}, {said}}}'", why, against_what)


def _of_training(now: Now) -> Iterator[Remedy]:
    if not now.patience:
        yield Remedy(
            f"{now.train}.patience: 3",
            "training ends when the loss on real rows no longer falls (needs mix.validation_rows)",
            LOSS,
        )
    if not now.surest:
        yield Remedy(
            f"{now.train}.surest: {SURE:g}",
            "tokens that the student is sure of already are left out of the loss (ForTIFAI, arXiv:2509.08972)",
            LOSS | STUDENT,
        )


def against(*found: str, now: Now = UNSAID) -> tuple[Remedy, ...]:
    """What helps against any of them and is not in force, in the order of the table."""
    names = set(found)
    return tuple(one for one in remedies(now) if one.against & names)


def trying(*found: str, now: Now) -> str:
    """The first of them as the end of a sentence; empty where all are in force already."""
    lines = against(*found, now=now)
    return f"; try {lines[0].line}" if lines else ""


def told(remedies: Iterable[Remedy]) -> str:
    """The lines, one under the other, as they may be copied."""
    return "\n     ".join(map(str, remedies))

"""What went wrong -> lines of a recipe that help against it, each with its reason.

A line is `key.path: value`, to be given with `--set key.path=value` or written into the recipe; one that begins with `filter +`
is one more entry at the end of the recipe's filters. A test reads every line as part of a recipe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ENTRY = "filter + "
"""Before an entry that is added to the recipe's filters."""
MODEL = "MODEL"
"""Stands in a line for a reference of the user's own: the student's model is a good choice."""
ROWS = "run:NAME/mix"
"""Stands in a line for the rows of an earlier run of the user's own."""


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

REMEDIES = (
    Remedy(
        "mix.real_fraction: 0.5",
        "an anchor of people's rows: with a tenth of them each generation, collapse was minor (Shumailov et al. 2024)",
        TAIL | LOSS | SYNTHETIC | STUDENT | SPREAD | REPEATED,
    ),
    Remedy(
        f"mix.earlier: [{ROWS}]",
        "rows of the generations before are kept and added to, not replaced (Gerstgrasser et al., arXiv:2404.01413)",
        STUDENT | LOSS,
    ),
    Remedy(
        "generate.sampling.temperature: 1.0",
        "a lower one samples the middle of what the teacher knows, and its tail never",
        SPREAD | TAIL,
    ),
    Remedy(
        f"{ENTRY}{{kind: near_duplicate, threshold: 0.7}}",
        "rows that say the same again are dropped, and others written for them",
        REPEATED,
    ),
    Remedy(
        f"{ENTRY}{{kind: surprising, model: {MODEL}, oversample: 2.0}}",
        "of twice the rows those that surprise are drawn more often (Gambetta et al., arXiv:2410.12341)",
        TAIL | SPREAD,
    ),
    Remedy(
        f"{ENTRY}{{kind: perplexity, model: {MODEL}, drop_lowest: 0.1, drop_highest: 0.02}}",
        "two-sided: more of the predictable end than of the surprising one",
        FILTERED | SPREAD,
    ),
    Remedy(
        "train.patience: 3",
        "training ends when the loss on real rows no longer falls (needs mix.validation_rows)",
        LOSS,
    ),
    Remedy(
        "train.surest: 0.9",
        "tokens that the student is sure of already are left out of the loss (ForTIFAI, arXiv:2509.08972)",
        LOSS | STUDENT,
    ),
)
"""Those that help most against something come first."""


def against(*found: str) -> tuple[Remedy, ...]:
    """What helps against any of them, in the order of the table."""
    names = set(found)
    return tuple(one for one in REMEDIES if one.against & names)


def told(remedies: Iterable[Remedy]) -> str:
    """The lines, one under the other, as they may be copied."""
    return "\n     ".join(map(str, remedies))

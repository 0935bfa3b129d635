"""texts' n-grams -> Self-BLEU: how much of a text stands in others, as BLEU-4 of each against all the others (Zhu et al. 2018,
arXiv:1802.01886), 0 to 100.

BLEU of a text is sacrebleu's of a sentence: effective order, exponential smoothing, the closest length among the references
(Post 2018, arXiv:1804.08771). Against many references an n-gram counts at most so often as the one that has it most often
does. Who that is, without the text itself, is one of the two that have it most often: so that all texts are done in one walk
over their n-grams, where a comparison of every two takes the square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.collapse.grams import SIZES, Run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.collapse.grams import Numbers

    Chosen = npt.NDArray[np.bool_]
    Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """What each text has of each n-gram of one size: by n-gram, and of one n-gram the text that has most of it first."""

    owners: Numbers
    numbers: Numbers
    often: Numbers


def ranked(run: Run) -> Ranked:
    import numpy as np

    pairs, often = np.unique(run.numbers * (int(run.owners.max(initial=0)) + 1) + run.owners, return_counts=True)
    numbers, owners = np.divmod(pairs, int(run.owners.max(initial=0)) + 1)
    order = np.lexsort((-often, numbers))
    return Ranked(owners[order], numbers[order], often[order])


def self_bleu(ranks: Mapping[int, Ranked], lengths: Sequence[int], chosen: Chosen) -> float:
    """Mean over the chosen texts; 0 of fewer than two.

    Args:
        ranks: `ranked` of every size.
        lengths: (texts,), in words; a text has at least one.
        chosen: (texts,).
    """
    import numpy as np

    if chosen.sum() < 2:
        return 0.0
    own = np.asarray(lengths)[chosen]
    logs, smooth, order = np.zeros(len(own)), np.ones(len(own)), np.zeros(len(own))
    matched = np.zeros(len(own))
    for size in SIZES:
        total = np.maximum(0, own - size + 1)
        found = _clipped(ranks[size], chosen)
        matched += found if size == 1 else 0
        smooth = np.where((total > 0) & (found == 0), 2 * smooth, smooth)
        precision = np.where(found > 0, found, 1 / smooth) / np.maximum(1, total)
        logs += np.where(total > 0, np.log(precision), 0)
        order += total > 0
    brevity = np.minimum(0, 1 - _closest(own) / own)
    # A text that shares no word with any other is 0, and not what smoothing makes of it.
    return float((100 * np.exp(logs / order + brevity) * (matched > 0)).mean())


def _clipped(rank: Ranked, chosen: Chosen) -> Array:
    """Of each chosen text: how many of its n-grams stand in another, each at most as often as there."""
    import numpy as np

    within = chosen[rank.owners]
    owners, numbers, often = rank.owners[within], rank.numbers[within], rank.often[within]
    first = np.ones(len(numbers), bool)
    first[1:] = numbers[1:] != numbers[:-1]
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, len(numbers)))
    most = np.repeat(often[starts], sizes) if len(starts) else often
    second = np.zeros(len(starts), np.int64)
    second[sizes > 1] = often[starts[sizes > 1] + 1]
    most[starts] = second  # the first one's own count is not among the others'
    found = np.bincount(owners, np.minimum(often, most), minlength=len(chosen))
    return found[chosen].astype(np.float64)


def _closest(lengths: npt.NDArray[np.int64]) -> Array:
    """Of each text the length of another that is nearest to its own, of two the shorter."""
    import numpy as np

    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order].astype(float)
    below, above = np.append(-math.inf, ordered[:-1]), np.append(ordered[1:], math.inf)
    nearest = np.where(ordered - below <= above - ordered, below, above)
    found = np.empty(len(lengths))
    found[order] = nearest
    return found

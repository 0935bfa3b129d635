"""how sure an arm was of each choice, and whether it was right -> how far the two are apart, with an interval.

The expected calibration error in its usual form: 15 bins of equal width between 0 and 1, the mean over choices of the distance
between confidence and accuracy of their bin (Guo et al. 2017, arXiv:1706.04599). It is never below zero, so that chance alone
makes it larger: of a model that is perfectly calibrated a few hundred items show several hundredths, and the percentiles of a
bootstrap, to which chance is added twice, never hold the truth. So the interval is found the other way round. The bins' signed
distances as they were seen, times a factor, are taken for the truth, the bootstrap's deviations for the noise upon it: the
ends are the factors with which an error as large, or as small, as the one seen would come in 2.5% of cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.errors import CompareError
from distill.statistics import resample
from distill.statistics.intervals import expanded
from distill.statistics.scores import LEVEL, RESAMPLES, Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

BINS = 15


@dataclass(frozen=True)
class Choices:
    """One arm's choices on the items of a suite; every arm has the same items in the same order."""

    confidence: Sequence[float]
    """Between 0 and 1."""
    right: Sequence[float]
    """1 or 0."""


@dataclass(frozen=True)
class Bin:
    """Choices whose confidence lies between two ends; the lower one belongs to the bin before, but for 0."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibrated:
    error: Interval
    """Expected calibration error."""
    confidence: float
    accuracy: float
    bins: tuple[Bin, ...]
    """Those that hold something."""


class Calibration:
    """Arms on the same items; all meet the same resamples.

    Raises:
        CompareError: fewer than two roots, of which nothing can be resampled.
    """

    def __init__(
        self, arms: Mapping[str, Choices], roots: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES
    ) -> None:
        import numpy as np

        names, self._cluster = np.unique(np.array(roots, dtype=str), return_inverse=True)
        self.n, self.roots = len(roots), len(names)
        if self.roots < 2:
            raise CompareError(f"{self.n} choices from {self.roots} prompts are too few for an interval")
        self.arms = arms
        sums = [self._apart(choices, self.roots) for choices in arms.values()]
        sizes = np.bincount(self._cluster).astype(np.float64)[:, None]
        drawn = resample.totals(np.hstack([*sums, sizes]), seed, resamples)
        self._seen = {name: own.sum(0) / self.n for name, own in zip(arms, sums, strict=True)}
        self._noise = {
            name: drawn[:, index * BINS : (index + 1) * BINS] / drawn[:, -1:] - self._seen[name]
            for index, name in enumerate(arms)
        }

    def of(self, name: str) -> Calibrated:
        import numpy as np

        choices = self.arms[name]
        confidence, right = np.asarray(choices.confidence, float), np.asarray(choices.right, float)
        place = bins(confidence)
        held = [
            Bin(
                index / BINS,
                (index + 1) / BINS,
                int(chosen.sum()),
                float(confidence[chosen].mean()),
                float(right[chosen].mean()),
            )
            for index in range(BINS)
            if (chosen := place == index).any()
        ]
        return Calibrated(self._interval(name), float(confidence.mean()), float(right.mean()), tuple(held))

    def difference(self, a: str, b: str) -> Interval:
        """Error of a - error of b: percentiles around what is seen, as what chance adds to both is most of it the same."""
        seen = _error(self._seen[a]) - _error(self._seen[b])
        drawn = self._errors(a, 1) - self._errors(b, 1)
        return expanded(seen, drawn - drawn.mean() + seen, self.roots, self.n)

    def _interval(self, name: str) -> Interval:
        """Wide enough to hold the error as it is seen, which chance may have made larger than the truth is likely to be."""
        seen = _error(self._seen[name])
        low, high = (seen * self._factor(name, share) for share in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
        return Interval(seen, low, min(1.0, max(high, seen)), self.n)

    def _factor(self, name: str, share: float) -> float:
        """Of the distances seen, so that this share of samples shows a smaller error than the one seen; 0 where none does."""
        seen = _error(self._seen[name])

        def below(factor: float) -> float:
            return float((self._errors(name, factor) < seen).mean())

        low, high = 0.0, 2.0
        if seen == 0 or below(low) <= share:
            return 0.0
        while below(high) > share and high < 1e6:
            low, high = high, 2 * high
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) > share else (low, middle)
        return (low + high) / 2

    def _errors(self, name: str, factor: float) -> Array:
        """(resamples,): errors of samples whose truth is the distances seen times a factor."""
        import numpy as np

        found: Array = np.abs(factor * self._seen[name] + self._noise[name]).sum(1)
        return found

    def _apart(self, choices: Choices, roots: int) -> Array:
        """(C, BINS): right less confidence, summed by root and bin."""
        import numpy as np

        confidence, right = np.asarray(choices.confidence, float), np.asarray(choices.right, float)
        cells = self._cluster * BINS + bins(confidence)
        apart = np.bincount(cells, right - confidence, minlength=roots * BINS).astype(np.float64)
        return apart.reshape(roots, BINS)


def bins(confidence: Array) -> npt.NDArray[np.intp]:
    """The bin of each; 1 is in the last, and 0 in the first."""
    import numpy as np

    return np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)


def _error(apart: Array) -> float:
    import numpy as np

    return float(np.abs(apart).sum())

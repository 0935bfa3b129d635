"""a distribution over word types -> generations of students that teach students, as a unigram model in place of a network.

A student is the shares of the words that it was trained on; what it writes are draws from its shares, sharpened as decoding
sharpens. Which rows it is trained on is `keeping.portions`, as of real runs: a row is one word here. `expected` has what comes
out on average, in closed form, so that the loop is checked where the answer is known. It shows the mechanism only: a network
also loses what it did not learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.laboratory.keeping import PEOPLE, Keep, portions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    Shares = npt.NDArray[np.float64]

UNSEEN = 0.5
"""Added to the count of every type where a loss is taken: of a word that was never seen it would be infinite (Krichevsky and
Trofimov 1981, doi:10.1109/TIT.1981.1056331)."""


@dataclass(frozen=True)
class Student:
    generation: int
    learnt: Counts
    """(types,): how often each is in the rows that it was trained on."""
    written: Counts
    """(types,): how often each is in the rows of this generation, which its teacher wrote; of generation 0 people."""
    parts: Mapping[int, int]
    """Generation -> how many of its rows it was trained on."""

    @property
    def shares(self) -> Shares:
        shares: Shares = self.learnt / self.learnt.sum()
        return shares

    @property
    def coverage(self) -> float:
        """Types that it knows, as a share of all there are."""
        return float((self.learnt > 0).mean())

    @property
    def entropy(self) -> float:
        """Of its shares, in nats."""
        return entropy(self.shares)

    @property
    def squares(self) -> float:
        """Sum of the squares of its shares: 1 where one type is all that is left."""
        return float(self.shares @ self.shares)

    def loss(self, truth: Shares) -> float:
        """Mean loss on words drawn from the truth, in nats a word. What was kept of other generations makes no student surer
        of what it has never seen: its shares count as those of one generation."""
        import numpy as np

        known = self.shares * self.written.sum() + UNSEEN
        known /= known.sum()
        return float(-(truth * np.log(known)).sum())


def simulate(
    truth: Shares,
    rows: int,
    keep: Keep,
    generations: int,
    *,
    real_fraction: float = 0.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[Student]:
    """Students of generation 0, which learns from people's rows, to `generations`.

    Args:
        truth: (types,) shares that people's words are drawn from.
        rows: words of every generation.
        temperature, top_p: of the sampling, as `sharpened` has them.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    pool = {PEOPLE: rng.multinomial(rows, truth)}
    students: list[Student] = []
    for generation in range(generations + 1):
        if generation:
            pool[generation] = rng.multinomial(rows, sharpened(students[-1].shares, temperature, top_p))
        parts = portions(keep, generation, rows, real_fraction)
        # The marginals' method, as the other lists every word.
        taken = [rng.multivariate_hypergeometric(pool[one], count, method="marginals") for one, count in parts.items()]
        students.append(Student(generation, np.sum(taken, axis=0), pool[generation], parts))
    return students


def sharpened(shares: Shares, temperature: float, top_p: float) -> Shares:
    """Shares to the power 1 / temperature, of which the likeliest are kept that come to `top_p` (Holtzman et al. 2020,
    arXiv:1904.09751). At 1 and 1 they are as they were."""
    import numpy as np

    found = np.zeros_like(shares)
    there = shares > 0
    logs = np.log(shares[there]) / temperature
    found[there] = np.exp(logs - logs.max())
    found /= found.sum()
    if top_p < 1:
        order = np.argsort(-found, kind="stable")
        before = np.cumsum(found[order]) - found[order]
        found[order[before >= top_p]] = 0
        found /= found.sum()
    return found


def zipf(types: int, exponent: float = 1.0) -> Shares:
    """Shares that fall with the rank to a power, as those of words do (Zipf 1949)."""
    import numpy as np

    shares = np.arange(1, types + 1, dtype=np.float64) ** -exponent
    return np.asarray(shares / shares.sum())


def entropy(shares: Shares) -> float:
    """In nats."""
    import numpy as np

    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())

"""What the simulation comes to on average, in closed form, where words are drawn as they are: at temperature 1.

How much is left is 1 - S, S the sum of the squares of a student's shares: the chance that two words differ. Of n words drawn
from shares with S the expected sum is 1/n + (1 - 1/n) S, so that under `replace` student g has

    1 - S_g = (1 - 1/n)^(g + 1) (1 - S)                  (Seddik et al. 2024, arXiv:2404.05090), which goes to 0;

under `accumulate`, where generation i moves the mean of i + 1 by a word in n (i + 1),

    1 - S_g = (1 - S) (1 - 1/(4n)) (1 - 1/(9n)) ... (1 - 1/n)     to the (g + 1)th square, which stops near pi^2/6 losses of 1/n.

With a share a of people's rows the loss is not for ever: a student is a times people's rows and 1 - a times its teacher's, and
only (1 - a)^2 of what was lost is handed on. So it settles where `replace` is after (1 - a^2) / (1 - (1 - a)^2) generations,
five for a tenth and one for a half, and no type that people's rows have is lost for good. `squares` follows all three ways of
keeping exactly, drawing without replacement included.

Which types are left is a Markov chain of a type's count (Wright and Fisher's): `counts`.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from distill.laboratory.keeping import PEOPLE, Keep, portions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def squares(truth: float, rows: int, keep: Keep, generations: int, real_fraction: float = 0.0) -> list[float]:
    """Expected sum of the squares of the shares of every student, of generation 0 on.

    The rows of generations depend on each other as each descends from those before: what is followed is the expected product
    of every two generations' shares.

    Args:
        truth: sum of the squares of the shares that people's words are drawn from.
        rows: words of every generation, two or more.
    """
    import numpy as np

    products = np.zeros((generations + 1, generations + 1))
    products[0, 0] = _drawn(truth, rows)
    found: list[float] = []
    for generation in range(generations + 1):
        parts = portions(keep, generation, rows, real_fraction)
        weights = np.zeros(generations + 1)
        weights[list(parts)] = np.array(list(parts.values())) / sum(parts.values())
        own = products.copy()
        for one, count in parts.items():  # some of its rows, without replacement
            own[one, one] += (1 - products[one, one]) * (rows - count) / (count * (rows - 1))
        found.append(float(weights @ own @ weights))
        if generation < generations:
            new = generation + 1
            products[new, :new] = products[:new, new] = (weights @ products)[:new]
            products[new, new] = _drawn(found[-1], rows)
    return found


def _drawn(before: float, rows: int) -> float:
    """Expected sum of squares of so many words drawn from shares of a sum of squares."""
    return 1 / rows + (1 - 1 / rows) * before


def counts(share: float, rows: int, generations: int, real_fraction: float = 0.0) -> Array:
    """(generations + 1, rows + 1): probability that a student of `replace` has a type so often, by generation.

    The first column is that it lost the type, the last that it has no other: over all types the last add up to the probability
    of total collapse. Exact, for few rows: its work goes with their square, for a real fraction with their cube.

    Args:
        share: of the type in what people's words are drawn from.
    """
    import numpy as np

    before = _binomial(rows, np.array([share]))[0]
    parts = [portions("replace", generation, rows, real_fraction) for generation in range(1, generations + 1)]
    if not any(PEOPLE in part for part in parts):
        step = _binomial(rows, np.arange(rows + 1) / rows)
        found = [before]
        for _ in parts:
            found.append(found[-1] @ step)
        return np.stack(found)
    real, written = parts[0][PEOPLE], parts[0].get(1, 0)
    step = _binomial(written, np.arange(rows + 1) / rows)
    total = np.zeros((generations + 1, rows + 1))
    for people in range(rows + 1):  # how often people's rows have it, which are the same for every generation
        now = np.zeros(rows + 1)
        now[people] = before[people]
        total[0] += now
        anchor = _hypergeometric(rows, people, real)
        for generation in range(1, generations + 1):
            now = np.convolve(now @ step, anchor)
            total[generation] += now
    return total


def _binomial(draws: int, shares: Array) -> Array:
    """(len(shares), draws + 1): probabilities of every count."""
    import numpy as np

    number = np.arange(draws + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, draws + 1)))])
    choose = logs[draws] - logs - logs[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        some = np.where(number == 0, 0.0, number * np.log(shares)[:, None])
        others = np.where(number == draws, 0.0, (draws - number) * np.log1p(-shares)[:, None])
    return np.asarray(np.exp(choose + some + others))


def _hypergeometric(rows: int, own: int, draws: int) -> Array:
    """(draws + 1,): probabilities of how many of a type's `own` rows are among so many drawn without replacement."""
    import numpy as np

    ways = [comb(own, number) * comb(rows - own, draws - number) for number in range(draws + 1)]
    return np.array([way / comb(rows, draws) for way in ways])

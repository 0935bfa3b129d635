"""How a number of rows is divided among methods: the one rule that generation and filtering share."""

from __future__ import annotations

from collections.abc import Mapping


def quotas(rows: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Rows asked of each method, in the order of `shares`, by the largest remainder; they sum to `rows`.

    Shares are relative: 2 and 1 are two thirds and one third. Of equal remainders the method named first gains.

    >>> quotas(10, {"answer": 0.5, "evolve": 0.25, "self_instruct": 0.25})
    {'answer': 5, 'evolve': 3, 'self_instruct': 2}
    """
    assert rows >= 0 and shares and all(share >= 0 for share in shares.values()), (rows, shares)
    total = sum(shares.values())
    assert total > 0, shares
    # Rounded so that 0.1 + 0.2 does not decide which method gains the last row.
    exact = {name: round(rows * share / total, 9) for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: rows - sum(whole.values())]:
        whole[name] += 1
    return whole

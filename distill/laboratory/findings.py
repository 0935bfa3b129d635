"""Curves -> what was found, in plain words that claim no more than their intervals show."""

from __future__ import annotations

from collections.abc import Sequence

from distill.collapse.panel import KINDS
from distill.compare.words import VERDICTS, minus, number, percent
from distill.laboratory.curves import Arm, Curves, End, Estimate, Over, over_seeds

HELD = 0.05
"""Share of a measure's first value by which it may change and is said to have held."""
GUESSED = 11.0
"""Nats per token of a guess among 60,000 tokens: as many as the vocabularies of small models have."""
UNCLAIMED: dict[Over, str] = {
    "seeds and items": "too few seeds to claim it",
    "items": "too few items to claim it",
    "seeds": "not claimed without losses by item",
    "nothing": "not claimed",
}
"""Of a difference that chance hardly makes, by what its interval is over."""
SHOWN = ("coverage", "tail_coverage", "entropy_1", "vendi")
"""Measures that are drawn first: no one of them certifies health."""


def headline(curves: Curves) -> str:
    """What replacing did, and what did better."""
    if not curves.ends:
        return "No student of a second generation is there yet."
    first = next((end for end in curves.ends if end.arm == curves.reference), curves.ends[0])
    better = [end for end in curves.ends if end.verdict == "better" and end.ratio is not None]
    best = min(better, key=lambda end: end.loss.value, default=None)
    if first.ratio is None:
        return f"{first.arm.name}: real loss {said(first.loss)} nats per token after {_generations(first.generation)}."
    low, high = first.ratio.ci95 or (0.0, float("inf"))
    moved = "rose to" if low > 1 else "fell to" if high < 1 else "cannot be told from what it was:"
    if {f"{one:.2f}" for one in (low, first.ratio.value, high)} == {"1.00"}:
        moved = "did not move:"
    text = f"Under {first.arm.name}, real loss {moved} {times(first.ratio)} in {_generations(first.generation)}"
    return f"{text}; under {best.arm.name} it is {times(best.ratio)}." if best and best.ratio else f"{text}."


def findings(curves: Curves) -> list[str]:
    """A sentence an arm, then what the measures say together, then what is to be kept in mind."""
    return [
        *(_arm(end) for end in curves.ends),
        *(text for arm in curves.arms if (text := _kept_and_fell(curves, arm))),
    ]


def notes(curves: Curves) -> list[str]:
    """What limits all of it."""
    found = []
    if len(curves.seeds) == 1:
        found.append("One training seed: of another nothing is known, and intervals are over items alone.")
    if missing := curves.missing():
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        found.append(f"Not there yet: {'; '.join(missing[:5])}{more}.")
    if (lost := _not_learnt(curves)) is not None:
        found.append(
            f"Generation 0 has a loss of {number(lost)} nats per token, more than {GUESSED:g}, a guess among 60,000 tokens: a "
            "student that has learnt nothing has nothing to lose. Train longer, or take out fewer layers."
        )
    if not curves.first:
        found.append("Generation 0 was not measured: there is nothing to say how much was lost.")
    if any(end.loss.over == "seeds" for end in curves.ends):
        found.append("Losses by item are not known: intervals are over seeds alone.")
    return found


def _not_learnt(curves: Curves) -> float | None:
    """Mean loss of generation 0 where it is worse than a guess."""
    found = [cell.loss for cell in curves.first.values()]
    mean = sum(found) / len(found) if found else 0.0
    return mean if mean > GUESSED else None


def _arm(end: End) -> str:
    """`replace: real loss x1.9 [1.7, 2.1] after 5 generations, at 2.613 nats per token.`"""
    share = f"{times(end.ratio)}, at " if end.ratio else ""
    text = (
        f"{end.arm.name}: real loss {share}{number(end.loss.value)} nats per token after {_generations(end.generation)}"
    )
    if end.beside is None:
        return f"{text}."
    low, high = sorted(abs(one) for one in end.beside.ci95) if end.beside.ci95 else (0.0, 0.0)
    size = f"{number(abs(end.beside.value))} [{number(low)}, {number(high)}]"
    if end.verdict == "better":
        part = f": {percent(end.avoided.value)} of what that lost is avoided" if end.avoided else ""
        return f"{text}, {size} lower than under replace{part}."
    if end.verdict == "worse":
        return f"{text}, {size} higher than under replace."
    return f"{text}; {verdict(end)} ({said(end.beside)} beside replace)."


def verdict(end: End) -> str:
    """In words. A difference that chance hardly makes, and smaller than so few seeds and items are sure to find, is likely to
    be exaggerated: it is not claimed."""
    low, high = (end.beside and end.beside.ci95) or (0.0, 0.0)
    if end.beside is None or end.verdict != "cannot tell" or low <= 0 <= high:
        return VERDICTS[end.verdict or "cannot tell"]
    return UNCLAIMED[end.beside.over]


def _kept_and_fell(curves: Curves, arm: Arm) -> str:
    """Where the words stayed and their entropy went: coverage alone would have called that healthy."""
    covered, bits = (change(curves, arm, name) for name in ("coverage", "entropy_1"))
    if covered is None or bits is None or not bits[2].ci95 or bits[2].ci95[1] >= 0:
        return ""
    if covered[1] < covered[0] * (1 - HELD) or bits[1] > bits[0] * (1 - HELD):
        return ""
    return (
        f"{arm.name}: coverage stayed ({amount(covered[0])} to {amount(covered[1])}) while the entropy of words fell from "
        f"{amount(bits[0])} to {amount(bits[1])} bits: no single number certifies health."
    )


def change(curves: Curves, arm: Arm, measure: str) -> tuple[float, float, Estimate] | None:
    """A measure of generation 0, of an arm's last, and their difference paired by seed; None where it is not known."""
    last = max(generation for generation, _ in curves.by_arm[arm])
    pairs = [
        (curves.first[seed].measures[measure], cell.measures[measure])
        for seed, cell in curves.cells(arm, last).items()
        if seed in curves.first and measure in cell.measures and measure in curves.first[seed].measures
    ]
    if not pairs:
        return None
    first, end = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    return first, end, over_seeds([after - before for before, after in pairs])


def measures(curves: Curves) -> list[str]:
    """Those that any cell has: first those that matter together, then the others in the panel's order."""
    there = {name for cell in curves.laboratory.cells for name in cell.measures}
    order: Sequence[str] = (*SHOWN, *KINDS)
    return [*dict.fromkeys(name for name in order if name in there), *sorted(there - set(order))]


def times(ratio: Estimate) -> str:
    """`×1.17 [1.15, 1.18]`"""
    ends = f" [{ratio.ci95[0]:.2f}, {ratio.ci95[1]:.2f}]" if ratio.ci95 else ""
    return f"\u00d7{ratio.value:.2f}{ends}"


def said(found: Estimate) -> str:
    """`2.613 [2.540, 2.686]`"""
    ends = f" [{number(found.ci95[0])}, {number(found.ci95[1])}]" if found.ci95 else ""
    return f"{number(found.value)}{ends}"


def amount(value: float) -> str:
    """A measure, of whatever size."""
    return minus(f"{value:.4g}")


def told(found: Estimate) -> str:
    """`143.9 [131.2, 156.6]`"""
    ends = f" [{amount(found.ci95[0])}, {amount(found.ci95[1])}]" if found.ci95 else ""
    return f"{amount(found.value)}{ends}"


def _generations(count: int) -> str:
    return "one generation" if count == 1 else f"{count} generations"

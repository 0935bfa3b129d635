"""numbers -> words: a headline that claims no more than the intervals show, and how numbers are written."""

from __future__ import annotations

from distill.compare.arms import BASE, STUDENT, TEACHER
from distill.compare.diversity import AttributeShares, Diversity
from distill.compare.findings import Forgotten, Guarded, LossOnReal, Price
from distill.compare.report import About, Metric, Pair, Recovered, Score
from distill.compare.value import Interval

TESTS = {"mcnemar": "McNemar, exact", "swap": "label swaps", "seeds": "t, seeds and prompts"}
VERDICTS = {"better": "better", "worse": "worse", "cannot tell": "cannot be told apart"}


def headline(name: str, metric: Metric) -> str:
    """One or two sentences on the primary metric; what the interval does not show is not said."""
    gap = metric.gap_recovered
    pair = next((pair for pair in metric.paired if (pair.a, pair.b) == (STUDENT, BASE)), None)
    if gap.value is None or gap.ci95 is None:
        return f"The gap recovered in {name} is undefined: {gap.undefined}.{_beside(metric, pair)}"
    share = recovered(gap)
    over = f" (mean of {seeds(len(metric.seeds))})" if metric.seeds else ""
    if gap.ci95[0] <= 0 <= gap.ci95[1]:
        return (
            f"No recovery shown: the student's share of the gap between base and teacher in {name} is {share}{over}, "
            "and that interval includes 0."
        )
    if gap.value < 0:
        return f"The student fell further behind the teacher in {name}: its share of the gap is {share}{over}."
    more = (
        ""
        if pair is None or pair.verdict == "better"
        else f" But {pair.n} items are too few to rely on a difference this small."
    )
    return f"The student recovered {share} of the gap between base and teacher in {name}{over}.{more}"


def _beside(metric: Metric, pair: Pair | None) -> str:
    """What can still be said where there is no gap to speak of."""
    if pair is None:
        pair = next((pair for pair in metric.paired if TEACHER in (pair.a, pair.b)), None)
    if pair is None:
        return ""
    difference = f"{signed(pair.difference, metric.unit)} {interval(pair.ci95, metric.unit)} {metric.unit}"
    if pair.verdict == "cannot tell":
        return f" {pair.a.capitalize()} and {pair.b} cannot be told apart ({difference}, {pair.n} items)."
    return f" The {pair.a} is {pair.verdict} than the {pair.b} by {difference} ({pair.n} items)."


def number(value: float, unit: str = "") -> str:
    """Three decimals, one on a scale of a hundred: what an interval of a hundred items can carry."""
    return minus(f"{value:.1f}" if unit == "0-100" else f"{value:.3f}")


def signed(value: float, unit: str = "") -> str:
    text = number(value, unit)
    return text if text.startswith("\u2212") or not value else f"+{text}"


def minus(text: str) -> str:
    """A true minus sign, and none before a zero."""
    if text.startswith("-"):
        return f"\u2212{text[1:]}" if text.strip("-0.,%") else text[1:]
    return text


def interval(ends: Interval, unit: str = "") -> str:
    return f"[{number(ends[0], unit)}, {number(ends[1], unit)}]"


LOPSIDED = 0.15
"""Share of an interval's width by which its middle may lie beside the mean and ± still tells the truth."""


def with_ends(score: Score, unit: str = "") -> str:
    """A mean with half its interval behind ±; where the mean is not in the middle with both ends: no share is below 0."""
    low, high = score.ci95
    if abs((low + high) / 2 - score.mean) > LOPSIDED * (high - low):
        return f"{number(score.mean, unit)} {interval(score.ci95, unit)}"
    return f"{number(score.mean, unit)} \u00b1 {number((high - low) / 2, unit)}"


def percent(share: float) -> str:
    return minus(f"{100 * share:.0f}") + "%"


def recovered(gap: Recovered) -> str:
    """`58% [51, 65]`, or `undefined`."""
    if gap.value is None or gap.ci95 is None:
        return "undefined"
    low, high = (percent(end).rstrip("%") for end in gap.ci95)
    return f"{percent(gap.value)} [{low}, {high}]"


def seeds(count: int) -> str:
    return "one training seed" if count == 1 else f"{count} training seeds"


def detectable(pair: Pair, unit: str) -> str:
    """The smallest difference that so many items show; where no two answers differ they cannot say which that is."""
    return number(pair.detectable, unit) if pair.detectable else "–"


def verdict(pair: Pair) -> str:
    """`better`, or `cannot be told apart (1,200 items would be needed)`."""
    said = VERDICTS[pair.verdict]
    if pair.verdict != "cannot tell":
        return said
    if pair.needed and pair.needed > pair.n:
        return f"{said} ({pair.needed:,} items would be needed)"
    if pair.p_holm is not None and pair.p < 0.05 <= pair.p_holm:
        return f"{said} (after Holm's correction)"
    if pair.test == "seeds" and pair.difference and pair.needed is None:
        return f"{said} (more training seeds would be needed)"
    return said


def added(name: str, pair: Pair, unit: str) -> str:
    """What the teacher's rows did that real rows alone do not."""
    change = f"{signed(pair.difference, unit)} {interval(pair.ci95, unit)} {unit} in {name}"
    if pair.verdict == "cannot tell":
        return f"What the teacher added cannot be told: beside a student of real rows alone {change}, {pair.n:,} items."
    return f"The student is {pair.verdict} than one that learnt from real rows alone: {change}."


def kept(one: Forgotten) -> str:
    """Whether the student lost more than it may, with the bound that decides."""
    margin = number(one.margin, one.unit)
    gain, low, high = (signed(value, one.unit) for value in (one.gain, *one.bounds))
    if one.verdict == "not worse":
        return f"not worse than the base: {gain}, at least {low}; margin {margin} ({one.n:,} items)"
    if one.verdict == "worse":
        return f"worse than the base: {gain}, at most {high}; margin {margin} ({one.n:,} items)"
    more = f", {one.needed:,} would settle it" if one.needed and one.needed > one.n else ""
    return f"cannot tell whether it is worse than the base: {gain}, {low} to {high}; margin {margin} ({one.n:,} items{more})"


def guarded(found: Guarded) -> list[tuple[str, str]]:
    """What the guard has to say, a line each with its verdict: `worse`, `not worse` or `cannot tell`."""
    lines = [
        ("worse", f"{one.says}; try {one.remedies[0]}" if one.remedies else one.says)
        for one in (*found.rows, *found.student)
    ]
    lines += [(one.verdict or "cannot tell", _on_real(one)) for one in found.losses if one.verdict != "worse"]
    return [*lines, *(("cannot tell", f"not judged: {one}") for one in found.unjudged)]


def _on_real(one: LossOnReal) -> str:
    """A loss on real text that is not known to have risen beyond its limit."""
    change = f"{signed(one.rise)} {interval(one.ci95)} nats per token from base to student ({one.n:,} items)"
    if one.limit is None:
        return f"{one.suite}.loss, on people's text, is held against no limit (guard.limits.real_loss): {change}"
    if one.verdict == "not worse":
        return f"{one.suite}.loss, on people's text, is within its limit: {change}"
    most = f"{percent(one.limit)} of the base's, {number(one.limit * one.base)}"
    return f"cannot tell whether {one.suite}.loss, on people's text, rose beyond its limit ({most}): {change}"


def gap_for(spent: Price) -> list[str]:
    """`61% [50, 72] of the gap per GPU-hour`, and the same per unit of money; nothing where no recovery is shown."""
    rates = (
        (spent.gap_per_hour, spent.gap_per_hour_ci95, f"{spent.device}-hour"),
        (spent.gap_per_money, spent.gap_per_money_ci95, "unit of money"),
    )
    return [
        f"{percent(rate)} [{percent(ends[0])[:-1]}, {percent(ends[1])[:-1]}] of the gap per {unit}"
        for rate, ends, unit in rates
        if rate is not None and ends is not None and (ends[0] > 0 or ends[1] < 0)
    ]


def hours(spent: Price) -> str:
    """`1.5 GPU-hours`, `0.08 processor-hours`."""
    return f"{spent.hours:.2g} {spent.device}-hours" if spent.hours < 10 else f"{spent.hours:,.0f} {spent.device}-hours"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float) -> str:
    """`3.2 s`, `4 min 05 s`, `2 h 07 min`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """Bytes in the unit that people think of memory in."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def arrow(metric: About) -> str:
    """Which way is better, for a reader who sees one row."""
    return "\u2193" if metric.direction == "lower" else "\u2191"


def share_of(one: AttributeShares, corpus: str) -> str:
    """`12% [9, 15]`, with `moved` where it is not people's share beyond the interval; `not told` where it could not be."""
    if corpus not in one.values:
        return "not told"
    low, high = (percent(end).rstrip("%") for end in one.ci95[corpus])
    return f"{percent(one.values[corpus])} [{low}, {high}]{', moved' if one.moved(corpus) else ''}"


def on_real_text(found: Diversity) -> list[str]:
    """What of health cannot be seen on rows, a sentence each; nothing where it was not measured."""
    said = []
    if one := found.rarest:
        means = ", ".join(f"{arm} {number(mean.mean)} {interval(mean.ci95)}" for arm, mean in one.arms.items())
        rose = (
            ""
            if one.rise is None or one.ci95 is None
            else f"; student less base {signed(one.rise)} {interval(one.ci95)}"
        )
        said.append(
            f"Loss on the tenth of people's held-out texts whose words are the rarest ({one.n}): {means}{rose}."
        )
    if gap := found.train_gap:
        said.append(
            f"Up to step {gap.step:,} the training loss is {number(gap.train)}, on real rows not trained on {number(gap.real)}: "
            f"{signed(gap.gap)}. Far below zero and falling while the real loss rises is overfitting to a model's rows."
        )
    return said

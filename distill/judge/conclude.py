"""what a judge said of every comparison -> win rates, its controls, and whether it can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from distill.judge import labels, rates
from distill.judge.asking import Judged as One
from distill.judge.comparisons import CONSTANT, FIXED, SAME, SHUFFLED, Paired
from distill.judge.result import Agreement, Control, Counts, Pair, Rate, Standing
from distill.statistics.scores import Interval

LEAST_READ = 0.5
"""Share of its answers that must be verdicts: those of the others are another selection of the items."""
INCONSISTENT = 0.65
"""Position consistency under which it is said aloud: GPT-4 had about 65% on MT-Bench (Zheng et al. 2023, arXiv:2306.05685)."""
MEANINGS = {
    SAME: "an answer against itself: what the place shown first wins, 50% without a bias",
    FIXED: f"the sentence “{CONSTANT}” against the answers",
    SHUFFLED: "the answer to another item against the right one",
}
HALF = 0.5


def pair(paired: Paired, judged: Sequence[One]) -> Pair:
    """The outcome of one pair of arms."""
    read, counts = [one for one in judged if one.outcome is not None], counted(judged)
    lengths = [(len(one.of.a), len(one.of.b)) for one in judged]
    means = tuple(sum(own) / len(own) for own in zip(*lengths, strict=True)) or None
    common = {"a": paired.a, "b": paired.b, "counts": counts, "unanswered": paired.unanswered, "characters": means}
    # Texts that are the same tell nothing of a judge that could not be read.
    if not read or (counts.failed and not any(one.said for one in read)):
        return Pair(
            **common, rate=None, controlled=None, undefined="no verdict could be read", consistency=None, first=None,
            detectable=None, needed=None, verdict="no verdict",
        )  # fmt: skip
    outcomes, roots = [one.outcome or 0.0 for one in read], [one.of.root for one in read]
    plain = rates.share(outcomes, roots)
    level = rates.at_equal_length(outcomes, [float(len(one.of.a) - len(one.of.b)) for one in read], roots)
    controlled = None if isinstance(level, str) else Rate.of(level)
    return Pair(
        **common,
        rate=Rate.of(plain.interval),
        controlled=controlled,
        undefined=_named(level, paired) if isinstance(level, str) else None,
        consistency=consistency(judged),
        first=first(judged),
        detectable=plain.detectable,
        needed=plain.needed,
        verdict=_verdict(plain, level),
    )


def _named(reason: str, paired: Paired) -> str:
    return reason.replace("of a are", f"of {paired.a} are").replace("of b are", f"of {paired.b} are")


def _verdict(plain: rates.Share, level: Interval | str) -> Literal["better", "worse", "cannot tell"]:
    """Both rates must lie on one side of a half, the interval that decides clear of it, and the distance must be one that so
    many items find: a smaller one that happens to be clear is likely to be exaggerated."""
    decides = plain.interval if isinstance(level, str) else level
    if abs(decides.value - HALF) < plain.detectable:
        return "cannot tell"
    if decides.low > HALF and plain.interval.value > HALF:
        return "better"
    return "worse" if decides.high < HALF and plain.interval.value < HALF else "cannot tell"


def counted(judged: Sequence[One]) -> Counts:
    outcomes = [one.outcome for one in judged]
    return Counts(
        items=len(judged),
        won=outcomes.count(1.0),
        tied=outcomes.count(0.5),
        lost=outcomes.count(0.0),
        failed=outcomes.count(None),
        same=sum(one.same for one in judged),
    )


def consistency(judged: Sequence[One]) -> Rate | None:
    """Share of the comparisons read in both orders of which both say the same."""
    read = [(float(one.consistent), one.of.root) for one in judged if one.consistent is not None]
    return Rate.of(rates.share(*zip(*read, strict=True)).interval) if read else None


def first(judged: Sequence[One]) -> Rate | None:
    """Share won by the place shown first."""
    read = [(place, one.of.root) for one in judged for place in one.places]
    return Rate.of(rates.share(*zip(*read, strict=True)).interval) if read else None


def controls(judged: Mapping[str, Sequence[One]]) -> list[Control]:
    """Each control; one that should lose must be shown to lose more often than it wins."""
    made = []
    for name, own in judged.items():
        if name == SAME:
            rate, passed = first(own), None
        else:
            read = [(one.outcome, one.of.root) for one in own if one.outcome is not None]
            rate = Rate.of(rates.share(*zip(*read, strict=True)).interval) if read else None
            passed = rate.ci95[1] < HALF if rate else None
        made.append(
            Control.model_validate(
                {"name": name, "meaning": MEANINGS[name], "counts": counted(own), "rate": rate, "passed": passed}
            )
        )
    return made


def asked(judged: Sequence[One]) -> tuple[int, int]:
    """Questions put to the judge, and those answered by a verdict."""
    said = [one for each in judged for one in each.said]
    return len(said), sum(one.verdict is not None for one in said)


def example(judged: Sequence[One]) -> str | None:
    """The first answer that is no verdict, with the reason."""
    for each in judged:
        for one in each.said:
            if one.verdict is None:
                said = " ".join(one.text.split())
                shown = f"{said[:300]}…" if len(said) > 300 else said
                return f"{one.error}: {shown!r}" if shown else str(one.error)
    return None


def standing(
    counts: tuple[int, int], found: Sequence[Control], people: Agreement | None, unread: str | None
) -> tuple[Standing, tuple[str, ...]]:
    """Whether the judge can be believed, and why not."""
    total, read = counts
    if not read:
        return "no verdict", (f"none of its {total} answers is a verdict, such as {unread}",)
    reasons = list(_faults(found, people))
    if read < LEAST_READ * total:
        reasons.append(f"only {read} of its {total} answers are verdicts; no verdict is {unread}")
    return ("cannot be believed" if reasons else "passed"), tuple(reasons)


def _faults(found: Sequence[Control], people: Agreement | None) -> Iterator[str]:
    for control in found:
        if control.name == SAME or control.passed:
            continue
        if control.rate is None:
            why = (
                "got no verdict that can be read"
                if control.counts.items
                else "could not be run: there are no two items"
            )
            yield f"the control `{control.name}` {why}"
        else:
            ends = ", ".join(f"{100 * end:.0f}" for end in control.rate.ci95)
            yield (
                f"{control.meaning} wins {control.rate.value:.0%} [{ends}] of {control.rate.n} items, which is not shown "
                "to be less than half"
            )
    if people and people.kappa and people.pairs >= labels.ENOUGH and people.kappa.ci95[0] <= 0:
        low, high = people.kappa.ci95
        yield (
            f"its agreement with people is not shown to be better than chance: kappa {people.kappa.value:.2f} "
            f"[{low:.2f}, {high:.2f}] on {people.read} pairs"
        )


def cautions(
    kin: str | None, pairs: Sequence[Pair], found: Sequence[Control], people: Agreement | None
) -> Iterator[str]:
    """What must be known of a judge whether it is believed or not."""
    if kin:
        yield kin
    for one in pairs:
        if one.consistency and one.consistency.value < INCONSISTENT:
            yield (
                f"{one.a} and {one.b}: the order of the answers changed {1 - one.consistency.value:.0%} of the verdicts, "
                "which count as ties."
            )
        if one.counts.failed:
            yield f"{one.a} and {one.b}: {one.counts.failed} of {one.counts.items} items got no verdict that can be read."
    for control in found:
        if control.name == SAME and control.rate and not control.rate.ci95[0] <= HALF <= control.rate.ci95[1]:
            yield f"Of two answers that are the same, the one shown first wins {control.rate.value:.0%}: it looks at the place."
    if people is None:
        yield "The judge was never compared with people: evaluate.judge.labels names pairs that they have labelled."
    elif people.undefined:
        what = "agreement" if people.share is None else "kappa"
        yield f"The {what} with people is not known: {people.undefined}."
    elif people.read < labels.ENOUGH:
        yield f"The agreement with people is of {people.read} pairs; {labels.ENOUGH} are the least that say something."

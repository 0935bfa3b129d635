"""a panel, and the loss on real text where it is known -> alarms: what is poorer than people's rows beyond a limit, and why.

Three things are looked at together, because each of them can be well while another is not: what is covered (accumulated data
keep every word of people's rows), how it is spread (their entropy falls all the same where answers are drawn sharpened), and
the loss on real text (which a set of rows does not show at all). One alarm is enough; none is no proof of health.

An alarm needs two things: the fall is larger than its limit, and larger than chance makes it. A dozen measures of several
corpora are looked at, so that a 95% interval of each would see something in every second set that is well: SURE is for that.

This module reads no rows and stops nothing: `guard` does with alarms what the recipe says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field, ValidationInfo, field_validator

from distill.collapse.panel import KINDS, NORMAL, Number, Panel
from distill.rows import Frozen

SURE = 3.0
"""Standard errors that a fall must be away from none: three in a thousand by chance, for a measure alone."""
LOGARITHMS = frozenset({"self_repetition"})
"""Measures that are logarithms already: what they rise by is held against the limit as it is."""
LOSS = "real_loss"


class Limits(Frozen):
    """How much poorer than people's rows a corpus may be: as a share of their value (0.3: three tenths less), null for any.

    A teacher that is well has words of its own, and misses half of those that people have, while its wording is as varied as
    theirs: so that coverage may fall far, and entropy and repetition may not. The defaults were set on sets that are well and
    sets that were made poorer on purpose, and are reported on others (docs/collapse.md).
    """

    coverage: float | None = Field(default=0.6, gt=0)
    """Words of people's rows that are there."""
    tail_coverage: float | None = Field(default=0.65, gt=0)
    """The same of their rare words."""
    entropy_1: float | None = Field(default=0.12, gt=0)
    """Bits of a word."""
    entropy_2: float | None = Field(default=0.1, gt=0)
    """Bits of a pair of words."""
    distinct_1: float | None = Field(default=0.17, gt=0)
    """Different words as a share of all."""
    distinct_2: float | None = Field(default=0.15, gt=0)
    """Different pairs of words."""
    distinct_3: float | None = Field(default=0.12, gt=0)
    """Different triples of words."""
    hapax: float | None = Field(default=0.3, gt=0)
    """Words that are there once, as a share of the different ones."""
    compression: float | None = Field(default=0.3, gt=0)
    """How far it can be compressed: a rise."""
    self_repetition: float | None = Field(default=0.7, gt=0)
    """Runs of four words that texts share: a rise of the mean logarithm (0.7: twice as many)."""
    self_bleu: float | None = Field(default=None, gt=0)
    """How much of a text stands in others: a rise. None by default: the turns of phrase of a teacher that is well treble it
    beside people's small talk."""
    vendi: float | None = Field(default=0.3, gt=0)
    """Texts without a word in common that would be as varied."""
    dispersion: float | None = Field(default=0.05, gt=0)
    """Mean distance of two texts by their words."""
    vendi_embedded: float | None = Field(default=0.15, gt=0)
    """As `vendi`, by embeddings: of rows that say the same in other words."""
    dispersion_embedded: float | None = Field(default=0.07, gt=0)
    """As `dispersion`, by embeddings."""
    real_loss: float | None = Field(default=0.05, gt=0)
    """Loss on real held-out text: a rise from base to student, as a share of the base's."""

    @field_validator("*")
    @classmethod
    def _a_share(cls, value: float | None, info: ValidationInfo) -> float | None:
        """Nothing falls by more than all of it, so that such a limit would be none without saying so."""
        falls = info.field_name in KINDS and KINDS[info.field_name].better == "higher"
        if falls and value is not None and value > 1:
            raise ValueError(
                f"{value:g} is more than all of it; it is a share: {value / 100:g} for {value:g}%, null for none"
            )
        return value


@dataclass(frozen=True)
class RealLoss:
    """Loss on real held-out text in nats per token, on the same items."""

    student: float
    base: float
    rise: Number
    """Student less base, paired, with its 95% interval."""


@dataclass(frozen=True)
class Alarm:
    measure: str
    """One of `panel.KINDS`, or `real_loss`."""
    corpus: str
    """Whose rows, or `student`."""
    value: float
    people: float
    """The same of people's rows; of `real_loss` the base's."""
    interval: tuple[float, float]
    """95%, of the value less people's."""
    limit: float
    """As in `Limits`."""
    says: str
    """One sentence with the numbers, for an error or a page."""


def alarms(panel: Panel | None, limits: Limits, real_loss: RealLoss | None = None) -> tuple[Alarm, ...]:
    """Everything beyond its limit, corpus by corpus in the panel's order, the loss last; empty where nothing is.

    Args:
        panel: None where too few texts are there to say anything: then nothing is said of them, and it is for the caller to
            say so.
        real_loss: None before there is a student.
    """
    found = [] if panel is None else list(_fallen(panel, limits))
    if real_loss is not None and limits.real_loss is not None:
        found += _risen(real_loss, limits.real_loss)
    return tuple(found)


def _fallen(panel: Panel, limits: Limits) -> Iterator[Alarm]:
    for corpus in panel.numbers["coverage"]:
        for measure in panel.numbers if corpus != panel.people else ():
            limit: float | None = getattr(limits, measure)
            own, people = (panel.numbers[measure][name].value for name in (corpus, panel.people))
            beside = panel.beside[measure][corpus]
            poorer = beside.value if KINDS[measure].better == "lower" else -beside.value
            share = poorer if measure in LOGARITHMS else poorer / abs(people) if people else 0.0
            if limit is not None and share > limit and poorer > _chance(beside):
                way = "rose" if KINDS[measure].better == "lower" else "fell"
                by, most = (f"{part:.2f}" if measure in LOGARITHMS else f"{part:.0%}" for part in (share, limit))
                says = (
                    f"{measure} of the {corpus} rows {way} by {by} against people's, more than {most}: {own:.3g} beside "
                    f"{people:.3g} ({KINDS[measure].meaning})"
                )
                yield Alarm(measure, corpus, own, people, (beside.low, beside.high), limit, says)


def _risen(loss: RealLoss, limit: float) -> Iterator[Alarm]:
    share = loss.rise.value / loss.base
    if share > limit and loss.rise.low > 0:
        says = (
            f"the student's loss on real held-out text rose by {share:.0%} over its base's, more than {limit:.0%}: "
            f"{loss.student:.3f} beside {loss.base:.3f} nats per token"
        )
        yield Alarm(LOSS, "student", loss.student, loss.base, (loss.rise.low, loss.rise.high), limit, says)


def _chance(beside: Number) -> float:
    """What a difference may be without being one."""
    return SURE * (beside.high - beside.low) / (2 * NORMAL)

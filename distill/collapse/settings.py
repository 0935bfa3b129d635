"""The recipe's `guard`: how much poorer than people's texts rows and student may be, and whether more than that stops a run."""

from __future__ import annotations

from pydantic import Field

from distill.collapse.gate import Limits
from distill.rows import Frozen


class Guard(Frozen):
    """What is looked at before anything is trained, and of the student when it was evaluated."""

    stop: bool = True
    """Whether what goes beyond `limits` stops the run: the mix before it is trained on, the student's loss on real text after the
    report is written. With false all is measured and told, and nothing is stopped."""
    limits: Limits = Limits()
    max_synthetic: float = Field(0.3, ge=0, le=1)
    """Share of a teacher's rows in the mix above which a note says so; it stops nothing. Small models trained on unfiltered
    synthetic text stay within 3% up to 0.2, and degrade faster beyond 0.3 (Du et al., arXiv:2510.05133)."""
    max_tail_lost: float = Field(0.1, ge=0, le=1)
    """Share of people's rare words that a filter may take out of the rows, beyond what as many rows drawn by lot would take,
    before it is named."""

"""A filter that compares the final answer of a worked solution with the reference in the row's evidence."""

from __future__ import annotations

from typing import ClassVar, Literal

from distill.evidence import REFERENCE
from distill.filter.bindings import installed, shorten
from distill.filter.verification.verify import Verified
from distill.mathematics.final import final
from distill.mathematics.marks import against
from distill.protocols import KEEP, Verdict
from distill.rows import Row


class Math(Verified):
    """Drops a solution that comes to something else (`wrong_answer`), to nothing (`no_final_answer`), or to what cannot be
    compared (`undecided`): that is not wrong, but nobody knows that it is right."""

    kind: Literal["math"] = "math"
    NEEDS: ClassVar[str] = REFERENCE

    @property
    def versions(self) -> dict[str, str]:
        return installed("math-verify", "latex2sympy2_extended", "sympy")

    def check(self, row: Row) -> Verdict:
        known = row.evidence[REFERENCE]
        reference = final(known) or known  # data may bring a worked solution
        (mark,) = against(reference, [row.answer])
        if mark.answer is None:
            return Verdict(
                False, "no_final_answer", evidence=f"{shorten(reference)} is right: {shorten(row.answer[-160:])}"
            )
        if mark.group == 0:
            return KEEP
        reason = "undecided" if mark.group is None else "wrong_answer"
        return Verdict(False, reason, evidence=f"{shorten(reference)} is right, {shorten(str(mark))} was said")

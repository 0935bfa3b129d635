"""A filter that runs the program in an answer against the tests in the row's evidence, in the sandbox. Python only."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from distill.evidence import ENTRY_POINT, TESTS
from distill.filter.bindings import Bindings, shorten
from distill.filter.verification.verify import Verified
from distill.programs import reading
from distill.programs.trial import Trial, trial
from distill.protocols import KEEP, Filter, Verdict
from distill.rows import Row
from distill.sandbox import run as sandbox
from distill.sandbox.outcome import Limits


class Code(Verified):
    """Drops an answer whose program fails (`failed_tests`), that has none (`no_program`), or whose tests say nothing."""

    kind: Literal["code"] = "code"
    NEEDS: ClassVar[str] = TESTS
    limits: Limits = Limits(seconds=5)
    """Of each run."""
    rejects: float | None = Field(None, ge=0, le=1)
    """Least share of programs with a fault that the tests must refuse, besides one that does nothing (`vacuous_tests`): up
    to a dozen more runs a row. Left out, the tests are believed."""

    def bind(self, bindings: Bindings) -> Filter:
        """Raises:
        SandboxError: this machine cannot confine a program.
        """
        sandbox.require()
        return super().bind(bindings)

    def check(self, row: Row) -> Verdict:
        tests = row.evidence[TESTS]
        program = reading.program(row.answer, row.question)
        if program is None:
            return Verdict(False, "no_program", evidence=shorten(row.answer))
        if self.rejects is None:
            outcome = sandbox.check(program, tests, self.limits)
            passed = outcome.status == "passed"
            return KEEP if passed else _failed(f"{outcome.status}: {outcome.detail}")
        name = row.evidence.get(ENTRY_POINT) or reading.tested(tests, [program]) or reading.entry_point(program) or ""
        return self._tested(trial([program], name, tests, self.limits))

    def _tested(self, tried: Trial) -> Verdict:
        assert self.rejects is not None
        if tried.best is None:
            return _failed(tried.why[0])
        if tried.vacuous:
            return Verdict(False, "vacuous_tests", 0.0, f"a program that does nothing passes: {shorten(tried.vacuous)}")
        share = round(tried.rejected / tried.mutants, 6) if tried.mutants else 1.0
        if share < self.rejects:
            missed = tried.mutants - tried.rejected
            return Verdict(False, "vacuous_tests", share, f"{missed} of {tried.mutants} programs with a fault pass")
        return KEEP


def _failed(why: str) -> Verdict:
    return Verdict(False, "failed_tests", evidence=shorten(why, 400))

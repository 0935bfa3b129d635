"""programs: problems with tests, answered with programs that pass them or do not: pass@k.

    {kind: programs, source: {data: tasks.jsonl, prompt: task, evidence: {tests: tests}}}
    {kind: human_eval, samples: 20, temperature: 0.8, k: [1, 10]}

What an answer says besides its program is not looked at. Programs run in the sandbox, as many at a time as there are
processors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import comb
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from distill.context import Resolved
from distill.errors import SourceError
from distill.evidence import ENTRY_POINT, QUESTION, TESTS
from distill.programs.completion import completed
from distill.rows import Row
from distill.sandbox.outcome import Limits
from distill.sandbox.run import check, require
from distill.sources.real import Real
from distill.suites.metrics import Metric
from distill.suites.sourced import Loading, Sourced
from distill.suites.suite import Answered, Answering, Judged, Measure, cut

NONE = "there is no program in the answer"
CHAT = """\
Complete this Python function. Answer with the whole function in one block of code.

```python
{{ question }}
```"""


class Programs(Sourced, Answering):
    """Problems, each answered with a program that its tests decide on."""

    kind: Literal["programs"] = "programs"
    LATER: ClassVar[tuple[str, ...]] = (*Answering.LATER, "k", "limits")
    source: Real
    """Data with a `prompt` and `evidence: {tests: …}`; an `answer` is shown beside the arms' programs."""
    max_new_tokens: int = Field(512, gt=0)
    k: tuple[Annotated[int, Field(gt=0)], ...] = Field((1,), min_length=1)
    """`pass@k` for each: the chance that one of k programs passes, without bias from as many as there are `samples`."""
    limits: Limits = Limits(seconds=5)
    """Of each run of a program."""

    @model_validator(mode="after")
    def _enough(self) -> Programs:
        if not self.source.has_rows and TESTS not in self.source.evidence:
            raise ValueError("`source` has no tests; write source: {…, evidence: {tests: COLUMN}}")
        if max(self.k) > self.samples:
            raise ValueError(
                f"pass@{max(self.k)} takes {max(self.k)} samples of an item or more: samples: {max(self.k)}"
            )
        return self

    @property
    def metrics(self) -> dict[str, Metric]:
        right = self.samples == 1
        return {f"pass@{k}": Metric("higher", "share", meaning(k, self.samples), right) for k in sorted(set(self.k))}

    def load(self, resolved: Mapping[str, Resolved]) -> Loading:
        """Raises:
        SandboxError: this machine cannot confine a program; known before anything is trained.
        """
        require()
        return super().load(resolved)

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        for row in rows:
            if not row.evidence.get(TESTS, "").strip():
                raise SourceError(f"a problem without tests: {row.question[:80]!r}", where=self.place)
        return list(rows)

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        found = [[self._program(one.row, answer) for answer in one.answers] for one in asked]
        # A program that an arm writes twice is run once.
        runs = {
            (place, program): one.row.evidence[TESTS]
            for place, one in enumerate(asked)
            for program in found[place]
            if program is not None
        }
        with ThreadPoolExecutor(processors()) as pool:
            outcomes = pool.map(lambda run: check(run[0][1], run[1], self.limits), runs.items())
            why = {
                run: "" if one.status == "passed" else f"{one.status}: {one.detail}"
                for run, one in zip(runs, outcomes, strict=True)
            }
        return [
            self._judged(programs, [NONE if program is None else why[place, program] for program in programs])
            for place, programs in enumerate(found)
        ]

    def _program(self, row: Row, answer: str) -> str | None:
        """The program in an answer; code that the problem is comes before it."""
        return completed(cut(answer, self.until), row.evidence.get(QUESTION, row.question))

    def _judged(self, programs: Sequence[str | None], why: Sequence[str]) -> Judged:
        """An item from its programs and what is wrong with each of them."""
        count, passed = len(why), why.count("")
        told = why[0] if count == 1 else f"{passed} of {count} passed; the first: {why[0] or 'passed'}"
        measures = {f"pass@{k}": Measure(value=pass_at(k, count, passed), weight=1) for k in sorted(set(self.k))}
        return Judged(measures, found=programs[0], why=told or None)


class HumanEval(Programs):
    """HumanEval (Chen et al. 2021, arXiv:2107.03374): 164 heads of Python functions, to be completed in a chat."""

    kind: Literal["human_eval"] = "human_eval"  # type: ignore[assignment]
    source: Real = Real(
        data="package:human_eval/data/HumanEval.jsonl.gz",
        prompt="prompt",
        answer="{{ prompt }}{{ canonical_solution }}",
        evidence={TESTS: "{{ test }}\ncheck({{ entry_point }})", ENTRY_POINT: "entry_point"},
        terms=("mit",),
    )

    @property
    def around(self) -> str:
        return self.instruction if self.instruction is not None else CHAT


def pass_at(k: int, samples: int, passed: int) -> float:
    """Chance that at least one of k programs, drawn from the samples without putting any back, is among those that passed.

    >>> pass_at(1, 4, 1), pass_at(2, 4, 1), pass_at(4, 4, 1), pass_at(2, 4, 0)
    (0.25, 0.5, 1.0, 0.0)
    """
    return 1 - comb(samples - passed, k) / comb(samples, k)


def meaning(k: int, samples: int) -> str:
    if samples == 1:
        return "Share of problems whose program passes its tests in the sandbox."
    which = "one program" if k == 1 else f"one of {k} programs"
    return (
        f"Chance that {which} passes the tests in the sandbox: the unbiased estimate from {samples} (Chen et al. 2021)."
    )


def processors() -> int:
    """This process's share of them: other processes of the stage judge at the same time."""
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

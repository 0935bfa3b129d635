"""the recipe's own synthetic test set -> right or wrong, by whether the short reference stands in the answer.

The node `benchmark` makes the items: a question, a teacher's answer, and the same answer in few words, which is the
reference. What counts as agreement is what confirmed the reference when the item was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from distill.evidence import REFERENCE
from distill.grounding import agree
from distill.rows import Row
from distill.suites import overlap
from distill.suites.heldout import written
from distill.suites.metrics import METRICS, Metric
from distill.suites.suite import Answered, Answering, Judged, Measure

NODE = "benchmark"
CORRECT = Metric(
    "higher",
    "share",
    "Share of answers in which all words of meaning and numbers of the short reference stand; yes and no must be the same.",
    right=True,
)


class OwnBenchmark(Answering):
    """Questions of the section `benchmark` of the same recipe."""

    kind: Literal["benchmark"] = "benchmark"
    NEEDS: ClassVar[tuple[str, ...]] = (NODE,)
    max_new_tokens: int = Field(128, gt=0)

    @property
    def metrics(self) -> dict[str, Metric]:
        return {"correct": replace(CORRECT, right=self.samples == 1), "chrf": METRICS["chrf"]}

    def rows(self, inputs: Mapping[str, Path]) -> list[Row]:
        return list(written({NODE: inputs[NODE]}))

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        return [self._judged(one.row, one.answers) for one in asked]

    def _judged(self, row: Row, answers: Sequence[str]) -> Judged:
        """Of several answers the mean."""
        right = [agree(row.evidence[REFERENCE], answer, row.question) for answer in answers]
        near = [overlap.chrf(answer, row.answer)["chrf"]["value"] for answer in answers]
        correct = Measure(value=sum(right) / len(right), weight=1)
        return Judged({"correct": correct, "chrf": Measure(value=sum(near) / len(near), weight=1)})

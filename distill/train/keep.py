"""log lines -> which checkpoint becomes the student, and whether a better one is still waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distill.train.learning import Learning

Lines = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Kept:
    """The checkpoint that the student is."""

    step: int
    ended: int
    """Step after which the training ended."""
    planned: int
    """Steps that the training would have had."""
    real_loss: float | None = None
    """Of that checkpoint on the validation rows, nats per token; None where none were set aside."""
    start: float | None = None
    """Before the first step."""
    last: float | None = None
    """After the last step."""

    @property
    def words(self) -> str:
        """For the card: `step 24 of 40, the best of its checkpoints on real rows`."""
        reason = "the last one" if self.step == self.ended else "the best of its checkpoints on real rows"
        return f"step {self.step} of {self.planned}, {reason}"

    def notes(self, rows: int) -> list[str]:
        """What the report says of it.

        Args:
            rows: how many the training was watched on.
        """
        if self.real_loss is None:
            return []
        said = [
            f"The student is that of {self.words}: {self.real_loss:.4f} nats per token on {rows} real validation rows, "
            f"{self.start:.4f} before training, {self.last:.4f} after the last step."
        ]
        if self.ended < self.planned:
            said.append(
                f"The training ended after step {self.ended} of {self.planned}: no better one came (train.patience)."
            )
        if self.start is not None and self.real_loss >= self.start:
            said.append("No checkpoint was better on real rows than the student before training.")
        return said


def choose(lines: Lines, learning: Learning, planned: int) -> Kept:
    """The checkpoint that is kept, of a training that has ended."""
    measured = [line for line in lines if "real_loss" in line]
    last = lines[-1]["step"]
    if not measured:
        return Kept(last, last, planned)
    best = _best(lines) if learning.checkpoint == "best" else lines[-1]
    start, end = measured[0]["real_loss"], measured[-1]["real_loss"]
    return Kept(best["step"], last, planned, best["real_loss"], start, end)


def in_vain(lines: Lines, learning: Learning) -> bool:
    """Whether `train.patience` checkpoints have come without a better loss on real rows."""
    since = [line for line in _checkpoints(lines) if line["step"] > _best(lines)["step"]] if _checkpoints(lines) else []
    return learning.patience is not None and len(since) >= learning.patience


def _best(lines: Lines) -> dict[str, Any]:
    return min(_checkpoints(lines), key=lambda line: line["real_loss"])


def _checkpoints(lines: Lines) -> list[dict[str, Any]]:
    """Lines of the checkpoints that were measured."""
    return [line for line in lines if line["step"] and "real_loss" in line]

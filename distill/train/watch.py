"""steps as they end -> log.jsonl, a bar on a terminal, sealed checkpoints; a loss that is no number stops the run.

    {"step": 3, "epoch": 0.1875, "loss": 2.41, "learning_rate": 0.00098, "grad_norm": 0.61, "tokens": 1030}

`loss` is the mean in nats over the step's learnt tokens, in all processes; `tokens` is how many those are. What a loss is
mixed of stands behind it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.errors import TrainError
from distill.train import checkpoints
from distill.train.data import NAMED, TrainingData
from distill.train.order import BLANK

if TYPE_CHECKING:
    from transformers import TrainerCallback

PARTS = ("divergence", "nll")
"""What an objective may say of its loss besides, in nats per learnt token."""


@dataclass(frozen=True)
class Watched:
    data: TrainingData
    steps: Sequence[Sequence[int]]
    """Rows of each step, `order.plan`."""
    out: Path
    template: str
    context: Context
    scaled: bool
    """Gradients are scaled for float16: infinite ones are skipped by the scaler and are no error."""

    @property
    def log(self) -> Path:
        return self.out / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.out / "checkpoints"

    def rewind(self, step: int) -> None:
        """Cut the log after a step: what comes is logged again."""
        lines = read_log(self.log)
        half = self.log.with_name(".log.jsonl")
        half.write_text("".join(_line(line) for line in lines if line["step"] <= step), encoding="utf-8")
        half.replace(self.log)

    def entry(self, step: int, logs: dict[str, Any]) -> dict[str, Any]:
        """The line of a step.

        Raises:
            TrainError: its loss or its gradient is not a number.
        """
        loss, norm = float(logs["loss"]), float(logs["grad_norm"])
        rows = [row for row in self.steps[step - 1] if row != BLANK]
        if not math.isfinite(loss) or not (math.isfinite(norm) or self.scaled):
            self._stop(step, loss, norm, rows)
        learnt = self.data.table.select(rows)["learnt"]
        seen = (step - 1) * len(self.steps[0]) + len(rows)  # only the last step has blanks
        return {
            "step": step,
            "epoch": round(seen / len(self.data), 6),
            "loss": loss,
            **{name: float(logs[name]) for name in PARTS if name in logs},
            "learning_rate": logs["learning_rate"],
            "grad_norm": norm if math.isfinite(norm) else None,
            "tokens": sum(learnt),
        }

    def _stop(self, step: int, loss: float, norm: float, rows: Sequence[int]) -> None:
        named = ", ".join(self.data.table.select(rows[:NAMED])["id"])
        last = checkpoints.last_whole(self.checkpoints)
        raise TrainError(
            f"the loss is {loss} and its gradient {norm}; rows of the step: {named}{' …' if len(rows) > NAMED else ''}",
            where=f"step {step} of {len(self.steps)}",
            hint="lower train.learning_rate or raise train.warmup_ratio"
            + (f"; the last good checkpoint is {last}" if last else "; no checkpoint was written yet"),
        )


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def callback(watched: Watched) -> TrainerCallback:
    """What hangs the watch into transformers' training loop."""
    from transformers import TrainerCallback

    context = watched.context

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
            self.latest: dict[str, Any] = {}
            ticks = iter(lambda: self.latest, None)
            left = len(watched.steps) - state.global_step
            self.bar = context.progress(ticks, left, "train", "step", note=lambda line: f"loss {line['loss']:.3f}")

        def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any], **_kwargs: Any) -> None:
            if "loss" not in logs:
                return  # the closing line with the means of the whole run
            self.latest = watched.entry(state.global_step, logs)
            next(self.bar)
            if context.ranks.main:
                with watched.log.open("a", encoding="utf-8") as file:
                    file.write(_line(self.latest))

        def on_save(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
            context.ranks.barrier()  # every process has written its state
            if context.ranks.main:
                folder = checkpoints.folder_of(watched.checkpoints, state.global_step)
                (folder / "training_args.bin").unlink(missing_ok=True)
                loss = float(self.latest["loss"])
                checkpoints.seal(folder, state.global_step, loss, watched.template, context.ranks.world)
                checkpoints.strip_older(watched.checkpoints)

        def on_train_end(self, _args: Any, _state: Any, _control: Any, **_kwargs: Any) -> None:
            next(self.bar, None)  # the bar goes away

    return Watch()


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"

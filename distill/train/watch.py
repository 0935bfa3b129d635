"""steps as they end -> log.jsonl, checkpoints.jsonl, a bar on a terminal, sealed checkpoints; and when to stop.

log.jsonl          {"step": 3, "epoch": 0.1875, "loss": 2.41, "learning_rate": 0.00098, "grad_norm": 0.61, "tokens": 1030}
checkpoints.jsonl  {"step": 4, "loss": 2.38, "real_loss": 2.9, "folder": "checkpoints/checkpoint-4", "planned": true, …}

`loss` is the mean in nats over the step's learnt tokens, in all processes, and of `preference` over its pairs; `tokens` is
how many those are. What an objective measures besides stands behind it (`How.measured`). Lines of planned checkpoints have
`real_loss`, the mean in nats per token over the validation rows, and so has step 0, before training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Context
from distill.errors import TrainError
from distill.train import checkpoints, keep
from distill.train.blame import at_fault, healthy
from distill.train.data import NAMED, TrainingData
from distill.train.learning import Learning
from distill.train.log import append, rewind
from distill.train.log import read_log as read_log
from distill.train.order import BLANK
from distill.train.signals import Wish
from distill.train.validate import Validation

if TYPE_CHECKING:
    from transformers import TrainerCallback


@dataclass(frozen=True)
class Watched:
    data: TrainingData
    steps: Sequence[Sequence[int]]
    """Rows of each step, `order.plan`."""
    out: Path
    template: str
    context: Context
    learning: Learning
    validation: Validation | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What a checkpoint was trained with, `origin.origin`."""
    measured: Callable[[Mapping[str, Any]], dict[str, float]] = lambda _: {}
    """`How.measured`: what the objective says of a step."""

    @property
    def log(self) -> Path:
        return self.out / "log.jsonl"

    @property
    def ledger(self) -> Path:
        return self.out / "checkpoints.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.out / "checkpoints"

    @property
    def scaled(self) -> bool:
        """Gradients are scaled for float16: infinite ones are skipped by the scaler and are no error."""
        return self.learning.dtype == "float16"

    @property
    def every(self) -> int:
        """Steps between planned checkpoints."""
        return self.learning.checkpoint_every or -(-len(self.steps) // 10)

    @cached_property
    def seen(self) -> list[int]:
        """Rows that were learnt from, by the end of each step."""
        return list(accumulate(sum(row != BLANK for row in step) for step in self.steps))

    def planned(self, step: int) -> bool:
        """Whether an undisturbed training has a checkpoint there."""
        return step % self.every == 0 or step == len(self.steps)

    def lines(self) -> list[dict[str, Any]]:
        """The log as the first process has it, in all processes."""
        ranks = self.context.ranks
        return ranks.gather([read_log(self.log) if ranks.main else []])[0]

    def rewind(self, step: int) -> None:
        """Cut log and ledger after a step: what comes is written again."""
        rewind(self.log, step)
        rewind(self.ledger, step)

    def ended(self, step: int) -> bool:
        """Whether nothing is left to be learnt after a step."""
        return step == len(self.steps) or keep.in_vain(self.lines(), self.learning)

    def measure(self, model: Any) -> dict[str, float]:
        """The loss on real rows; empty where there are none to measure on.

        Raises:
            TrainError: it is not a number; says which rows are at fault.
        """
        if self.validation is None:
            return {}
        loss = self.validation.loss(model, self.learning.dtype, self.context.ranks)
        if not math.isfinite(loss):
            found = at_fault(model, self.validation.table, range(len(self.validation.table)), self.learning.dtype)
            raise TrainError(
                f"the loss on real rows is {loss}; {found}",
                where="validation.jsonl",
                hint="look at rows that are named as at fault, or set mix.validation_rows to 0",
            )
        return {"real_loss": loss}

    def entry(self, step: int, logs: dict[str, Any]) -> dict[str, Any]:
        """The line of a step.

        Raises:
            TrainError: its loss or its gradient is not a number.
        """
        loss, norm = float(logs["loss"]), float(logs["grad_norm"])
        rows = self.rows_of(step)
        if not math.isfinite(loss) or not (math.isfinite(norm) or self.scaled):
            named = ", ".join(self.data.table.select(rows[:NAMED])["id"]) + (" …" if len(rows) > NAMED else "")
            raise self.no_number(step, f"the loss is {loss} and its gradient {norm}; rows of the step: {named}")
        measured = self.measured(logs)
        learnt = self.data.learnt_of(rows) + int(measured.pop("tokens", 0))
        return {
            "step": step,
            "epoch": round(self.seen[step - 1] / len(self.data), 6),
            "loss": loss,
            "learning_rate": logs["learning_rate"],
            "grad_norm": norm if math.isfinite(norm) else None,
            "tokens": learnt,
            **measured,
        }

    def rows_of(self, step: int) -> list[int]:
        return [row for row in self.steps[step - 1] if row != BLANK]

    def no_number(self, step: int, found: str) -> TrainError:
        """The error of a step that cannot be learnt."""
        last = checkpoints.last_whole(self.checkpoints)
        return TrainError(
            found,
            where=f"step {step} of {len(self.steps)}",
            hint="lower train.learning_rate or raise train.warmup_ratio, or look at rows that are named as at fault"
            + (f"; the last good checkpoint is {last}" if last else "; no checkpoint was written yet"),
        )

    def agree(self, model: Any, step: int, wish: Wish) -> int | None:
        """All processes tell each other, before a step is taken, whether it can be and whether it is to be the last.

        Args:
            wish: of this process; read last, as a GPU may still be computing when this is asked.

        Returns:
            a signal that any has heard.

        Raises:
            TrainError: a gradient is not a number; says which rows are at fault.
        """
        ill = not self.scaled and not healthy(model)
        told = self.context.ranks.gather([(ill, wish.signal)])
        if any(ill for ill, _ in told):
            found = at_fault(model, self.data.table, self.rows_of(step), self.learning.dtype)
            raise self.no_number(step, f"the loss is no number, or its gradient is none; {found}")
        return next((number for _, number in told if number), None)

    def seal(self, step: int, line: Mapping[str, Any]) -> None:
        """Enter a checkpoint that is written wholly into the ledger, and let it count."""
        folder = checkpoints.folder_of(self.checkpoints, step)
        (folder / "training_args.bin").unlink(missing_ok=True)
        record = {
            "step": step,
            "loss": line["loss"],
            "real_loss": line.get("real_loss"),
            "template": self.template,
            "key": self.context.key,
            "processes": self.context.ranks.world,
            "folder": str(folder.relative_to(self.out)),
            "planned": self.planned(step),
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        append(self.ledger, record)
        checkpoints.seal(folder, {**record, "trained_with": dict(self.origin)})
        checkpoints.strip_older(self.checkpoints)


def callback(watched: Watched, wish: Wish) -> TrainerCallback:
    """What hangs the watch into transformers' training loop. A wish to stop is made that of all processes."""
    from transformers import TrainerCallback

    context = watched.context
    ranks = context.ranks

    class Watch(TrainerCallback):  # type: ignore[misc]
        latest: dict[str, Any]

        def on_train_begin(self, _args: Any, state: Any, _control: Any, model: Any, **_kwargs: Any) -> None:
            self.latest = {}
            ticks = iter(lambda: self.latest, None)
            left = len(watched.steps) - state.global_step
            self.bar = context.progress(ticks, left, "train", "step", note=lambda line: f"loss {line['loss']:.3f}")
            self.history = watched.lines()
            if not self.history and (measured := watched.measure(model)):
                self.write({"step": 0, **measured})

        def on_pre_optimizer_step(self, _args: Any, state: Any, _control: Any, model: Any, **_kwargs: Any) -> None:
            """The last moment at which the weights are those that the step was computed with."""
            signal = watched.agree(model, state.global_step + 1, wish)
            wish.agreed = wish.agreed or signal

        def on_step_end(self, _args: Any, _state: Any, control: Any, **_kwargs: Any) -> None:
            if wish.agreed:
                control.should_save = control.should_training_stop = True

        def on_log(self, _args: Any, state: Any, _control: Any, logs: Any, model: Any, **_kwargs: Any) -> None:
            if "loss" not in logs:
                return  # the closing line with the means of the whole run
            step = state.global_step
            measured = watched.measure(model) if watched.planned(step) else {}
            self.latest = watched.entry(step, logs) | measured
            next(self.bar)
            self.write(self.latest)

        def write(self, line: dict[str, Any]) -> None:
            self.history.append(line)
            if ranks.main:
                append(watched.log, line)

        def on_save(self, _args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
            ranks.barrier()  # every process has written its state
            if ranks.main:
                watched.seal(state.global_step, self.latest)
            ranks.barrier()  # no process ends before it is sealed
            if keep.in_vain(self.history, watched.learning):
                control.should_training_stop = True

        def on_train_end(self, _args: Any, _state: Any, _control: Any, **_kwargs: Any) -> None:
            next(self.bar, None)  # the bar goes away

    return Watch()

"""What every trainer of TRL does our way: a schedule that wastes no step, students as checkpoints, no card of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.train.order import rate

if TYPE_CHECKING:
    from distill.train.learning import Learning


def ours(kind: type, learning: Learning) -> type:
    """A class that is `kind`, one of TRL's trainers, with these three changed."""
    from torch.optim.lr_scheduler import LambdaLR

    class Ours(kind):  # type: ignore[misc]
        write: Callable[[Path], None]
        """How the loop wants what is trained to be written."""

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            warmup = int(learning.warmup_ratio * num_training_steps)
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rate(step, num_training_steps, warmup, learning.scheduler)
            )
            self._created_lr_scheduler = True
            return self.lr_scheduler

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            if self.args.should_save:
                self.write(Path(output_dir or self.args.output_dir))
            self.accelerator.wait_for_everyone()  # the others add their state to the folder

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The stage writes one, of its own."""

    return Ours

"""What every trainer of TRL does our way: a schedule that wastes no step, students as checkpoints, shards, no card of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.engines import adapters
from distill.train import attention, sharding
from distill.train.order import rate

if TYPE_CHECKING:
    from distill.train.learning import Learning


def ours(kind: type, learning: Learning) -> type:
    """A class that is `kind`, one of TRL's trainers, with these changed."""
    from torch.optim.lr_scheduler import LambdaLR

    class Ours(kind):  # type: ignore[misc]
        gather: Callable[[], dict[str, Any]]
        write: Callable[[Path, dict[str, Any]], None]
        """What is trained, asked for by all processes, and how the loop wants it to be written by one."""

        packed = False
        """Whether the rows of a pass lie one after the other."""

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            # Forward and backward: where activations are computed again, rows are kept apart again.
            with attention.apart(self.model) if self.packed else nullcontext():
                return super().training_step(*args, **kwargs)

        def create_accelerator_and_postprocess(self) -> None:
            sharding.admit_processors()
            super().create_accelerator_and_postprocess()
            if self.is_fsdp_enabled:
                # Its policy would round LoRA, its gradients and the loss to bfloat16: autocast instead, as without shards.
                self.accelerator.state.fsdp_plugin.mixed_precision_policy = None

        def autocast_smart_context_manager(self, *args: Any, **kwargs: Any) -> Any:
            ours = self.is_fsdp_enabled
            return self.accelerator.autocast() if ours else super().autocast_smart_context_manager(*args, **kwargs)

        def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
            if self.is_fsdp_enabled:
                sharding.save_state(self, Path(output_dir))
            else:
                super()._save_optimizer_and_scheduler(output_dir)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            if self.is_fsdp_enabled:
                adapters.refill(self.model, Path(resume_from_checkpoint))
            else:
                super()._load_from_checkpoint(resume_from_checkpoint, model)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            warmup = int(learning.warmup_ratio * num_training_steps)
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rate(step, num_training_steps, warmup, learning.scheduler)
            )
            self._created_lr_scheduler = True
            return self.lr_scheduler

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            weights = self.gather()  # by all processes, of which each may hold a part
            if self.args.should_save:
                self.write(Path(output_dir or self.args.output_dir), weights)
            self.accelerator.wait_for_everyone()  # the others add their state to the folder

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The stage writes one, of its own."""

    return Ours

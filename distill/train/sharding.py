"""Weights in shards over the processes of a training: by FSDP2, on processors too, or by DeepSpeed's ZeRO-3.

checkpoints/checkpoint-20/
  adapter_model.safetensors                     whole, as without shards
  optimizer.bin                                 FSDP2: whole too, to go on from with any number of processes
  global_step20/                                DeepSpeed: to go on from with the same number
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distill.errors import TrainError

if TYPE_CHECKING:
    from transformers import Trainer

Kind = Literal["whole", "fsdp", "deepspeed"]
WORDS: dict[Kind, str] = {"whole": "each the whole model", "fsdp": "FSDP's shards", "deepspeed": "DeepSpeed's shards"}


def kind() -> Kind:
    """What the launcher was told."""
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        return "fsdp"
    return "deepspeed" if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true" else "whole"


def cut_later() -> bool:
    """Whether weights stay on the processor until each process takes its share."""
    return kind() == "fsdp" or (kind() == "deepspeed" and os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3")


def check_resumable(checkpoint: Path) -> None:
    """Refuse a checkpoint whose state another kind of sharding wrote.

    Raises:
        TrainError: it is one.
    """
    wrote: Kind = "whole"
    if any(checkpoint.glob("optimizer.bin")) or any(checkpoint.glob("optimizer_0")):
        wrote = "fsdp"
    elif any(checkpoint.glob("global_step*")):
        wrote = "deepspeed"
    if wrote != kind():
        raise TrainError(
            f"it was written by processes that had {WORDS[wrote]}; these have {WORDS[kind()]}",
            where=str(checkpoint),
            hint="go on with the launch that training began with, or remove the folder and train again",
        )


def admit_processors() -> None:
    """Let processors be sharded: torch does it, only accelerate takes it for a matter of GPUs.

    Before an `Accelerator` is made. It believes to have several GPUs then, and asks for FSDP; the device stays the processor.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    if kind() == "fsdp" and PartialState().distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def save_state(trainer: Trainer, folder: Path) -> None:
    """Write what training goes on from beside the adapter, under FSDP. Every process must ask.

    transformers would write the model too: LoRA once more, and beside it the whole output layer where it is tied to the input's.
    """
    import torch
    from accelerate.utils import save_fsdp_optimizer

    accelerator = trainer.accelerator
    save_fsdp_optimizer(accelerator.state.fsdp_plugin, accelerator, trainer.optimizer, trainer.model, str(folder))
    if trainer.args.should_save:
        torch.save(trainer.lr_scheduler.state_dict(), folder / "scheduler.pt")

"""rows as tokens + a base model -> a student: the one loop around every objective's trainer.

The rows of every step are planned beforehand (`order.plan`), so the trainer reads them one after the other: the same
rows in the same steps whatever the number of processes, and a resumed run only has to skip. The loss is the mean over
the learnt tokens of the whole step, however it is cut into forward passes.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill import trackers
from distill.context import Resolved
from distill.engines import adapters
from distill.engines.placement import device
from distill.engines.quiet import quiet
from distill.errors import LaunchError, StoppedError, TrainError
from distill.train import checkpoints, sharding
from distill.train.checkpoints import step_of
from distill.train.how import How
from distill.train.keep import Kept, choose
from distill.train.learner import Learner, open_learner
from distill.train.order import share
from distill.train.origin import refuse_another
from distill.train.peers import together
from distill.train.signals import heard
from distill.train.watch import Watched, callback

if TYPE_CHECKING:
    from distill.train.settings import Spec


@dataclass(frozen=True)
class Trained:
    learner: Learner
    steps: list[dict[str, Any]]
    """Line of the log of every step, its `loss` first of all."""
    kept: Kept
    """The checkpoint that the student is."""


def train(spec: Spec, source: Resolved, how: How, watched: Watched, start: Path | None) -> Trained:
    """Train from the last whole checkpoint in `out/checkpoints`, or from the beginning where there is none.

    Args:
        start: folder of the student to go on with, instead of the base model.

    Raises:
        TrainError: a batch that cannot be shared out, a tracker that is not there, no memory, a loss that is no number,
            a process that has gone.
        LaunchError: other processes than the context says.
        StoppedError: a signal; a checkpoint of the step that ran then is written.
    """
    context = watched.context
    settings = configure(spec, watched)
    learner = open_learner(spec, source, start, context)
    model, tokenizer = learner.model, learner.tokenizer
    last = _last_checkpoint(watched)
    with quiet():
        from transformers import PrinterCallback
    with trackers.told(context.runtime.report_to, context.tracked):
        with adapters.unrounded(model):
            trainer = how.trainer(model, settings, how.dataset(watched, tokenizer), tokenizer)
        trainer.gather, trainer.write = learner.gather, learner.save
        trainer.args._n_gpu = min(1, trainer.args.n_gpu)  # one process drives one GPU, however many it can see
        trainer.processing_class = None  # the tokenizer is the base model's; it need not lie in every checkpoint
        trainer.remove_callback(PrinterCallback)
        if not watched.ended(step_of(last)):
            _learn(trainer, model, watched, last)
    lines = watched.lines()
    steps = [line for line in lines if "loss" in line]
    return Trained(learner, steps, choose(lines, spec.train, len(watched.steps)))


def _learn(trainer: Any, model: Any, watched: Watched, last: Path | None) -> None:
    with heard() as wish:
        trainer.add_callback(callback(watched, wish))
        with together(watched.context.ranks), _memory(), adapters.under_autocast(model), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of TRL's own use of transformers
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    if wish.agreed:
        step = trainer.state.global_step
        raise StoppedError(
            wish.agreed,
            f"stopped by {signal.Signals(wish.agreed).name} after step {step} of {len(watched.steps)}",
            where="train",
            hint=f"the same command goes on from {checkpoints.folder_of(watched.checkpoints, step)}",
        )


def configure(spec: Spec, watched: Watched) -> dict[str, Any]:
    """Settings of transformers' trainer that all objectives have: everything that is not said here is off or its default.

    Raises:
        TrainError: what this machine cannot do, or processes that cannot share a step.
    """
    train, runtime, ranks = spec.train, watched.context.runtime, watched.context.ranks
    on_processor = device() == "cpu"
    if on_processor and train.dtype == "float16":
        raise TrainError(
            "float16 cannot be trained on a processor", where="train.dtype", hint="use bfloat16 or float32"
        )
    trackers.check(runtime.report_to)
    _check_processes(ranks.world, on_processor)
    split = share(train.batch_size, runtime.per_device_batch, ranks.world)
    steps = len(watched.steps)
    recompute = runtime.gradient_checkpointing
    return {
        "output_dir": str(watched.checkpoints),
        "per_device_train_batch_size": split.per_device,
        "gradient_accumulation_steps": split.accumulation,
        "max_steps": steps,
        "learning_rate": train.learning_rate,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "seed": spec.seed,
        "use_cpu": on_processor,
        # Autocast: trained float32 weights are multiplied in the dtype of the frozen ones, which is a fifth faster.
        "bf16": train.dtype == "bfloat16",
        "fp16": train.dtype == "float16",
        "gradient_checkpointing": not on_processor if recompute is None else recompute,
        "train_sampling_strategy": "sequential",
        "dataloader_pin_memory": not on_processor,
        "ddp_find_unused_parameters": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "log_level": "error",
        "disable_tqdm": True,
        **trackers.settings(runtime.report_to, watched.context.tracked),
        "save_strategy": "steps",
        "save_steps": watched.every,
    }


def _check_processes(world: int, on_processor: bool) -> None:
    with quiet():
        from accelerate import PartialState

        found = PartialState(cpu=on_processor).num_processes
    if found != world:
        raise LaunchError(f"{world} processes were asked for, the trainer finds {found}")


def _last_checkpoint(watched: Watched) -> Path | None:
    """Where to go on from, with everything after it taken back."""
    context, folder = watched.context, watched.checkpoints
    if context.ranks.main:
        folder.mkdir(exist_ok=True)
        checkpoints.sweep(folder)
    context.ranks.barrier()
    last = checkpoints.last_whole(folder)
    if last:
        refuse_another((checkpoints.marker(last) or {}).get("trained_with", {}), watched.origin, last)
        sharding.check_resumable(last)
    step = step_of(last)
    if context.ranks.main:
        watched.rewind(step)
    if step:
        context.say(f"  train: going on from step {step} of {len(watched.steps)}")
    return last


@contextmanager
def _memory() -> Iterator[None]:
    """No memory left, on a GPU or not, as an error that says what to lower."""
    import torch

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = str(error)
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in told:
            raise
        raise TrainError(
            f"out of memory: {told[:200]}",
            where="train",
            hint="lower runtime.pass_tokens or, without packing, runtime.per_device_batch (the result stays the same), set "
            "runtime.gradient_checkpointing: true or lower train.max_length",
        ) from error

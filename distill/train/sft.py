"""rows as tokens + a base model -> a LoRA adapter: next-token loss on the assistant's tokens, by TRL's SFTTrainer.

The rows of every step are planned beforehand (`order.plan`), so the trainer reads them one after the other: the same
rows in the same steps whatever the number of processes, and a resumed run only has to skip. The loss is the mean over
the learnt tokens of the whole step, however it is cut into forward passes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import Resolved
from distill.engines import adapters, models
from distill.engines.placement import device
from distill.engines.quiet import quiet
from distill.errors import LaunchError, TrainError
from distill.train import checkpoints
from distill.train.data import in_order
from distill.train.loss import add_head
from distill.train.order import rate, share
from distill.train.watch import Watched, callback

if TYPE_CHECKING:
    from trl import SFTConfig

    from distill.train.settings import Spec


@dataclass(frozen=True)
class Trained:
    model: Any
    """The base with the trained adapter on it."""
    trainable: int
    """Parameters that were trained."""
    losses: list[float]
    """Of every step, in nats per learnt token."""


def train(spec: Spec, source: Resolved, watched: Watched) -> Trained:
    """Train from the last whole checkpoint in `out/checkpoints`, or from the beginning where there is none.

    Raises:
        TrainError: a batch that cannot be shared out, a tracker that is not there, no memory, a loss that is no number.
        LaunchError: other processes than the context says.
    """
    context = watched.context
    config = configure(spec, watched)
    loaded = models.load(source, context.cache, spec.train.dtype, spec.student.drop_layers)
    lora = spec.student.lora
    model = adapters.attach(loaded.model, lora.r, lora.alpha, lora.dropout, lora.target_modules, spec.seed)
    trainable = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    assert all("lora_" in name and str(weight.dtype) == "torch.float32" for name, weight in trainable)
    last = _last_checkpoint(watched)
    dataset = in_order(watched.data, watched.steps, loaded.tokenizer.pad_token_id)
    with quiet():
        from transformers import PrinterCallback

        trainer = _trainer_class()(spec, model, config, dataset, loaded.tokenizer)
        trainer.processing_class = None  # the tokenizer is the base model's; it need not lie in every checkpoint
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(callback(watched))
    with _memory(), adapters.under_autocast(model), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of TRL's own use of transformers
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return Trained(model, sum(weight.numel() for _, weight in trainable), losses)


def configure(spec: Spec, watched: Watched) -> SFTConfig:
    """TRL's settings for a training: everything that is not said here is off or its default."""
    with quiet():
        from trl import SFTConfig

    train, runtime, ranks = spec.train, watched.context.runtime, watched.context.ranks
    on_processor = device() == "cpu"
    if on_processor and train.dtype == "float16":
        raise TrainError(
            "float16 cannot be trained on a processor", where="train.dtype", hint="use bfloat16 or float32"
        )
    _check_trackers(runtime.report_to)
    split = share(train.batch_size, runtime.per_device_batch, ranks.world)
    steps = len(watched.steps)
    recompute = runtime.gradient_checkpointing
    with quiet():
        config = SFTConfig(
            output_dir=str(watched.checkpoints),
            per_device_train_batch_size=split.per_device,
            gradient_accumulation_steps=split.accumulation,
            max_steps=steps,
            learning_rate=train.learning_rate,
            weight_decay=train.weight_decay,
            max_grad_norm=train.max_grad_norm,
            seed=spec.seed,
            use_cpu=on_processor,
            # Autocast: LoRA's float32 weights are multiplied in the dtype of the frozen ones, which is a fifth faster.
            bf16=train.dtype == "bfloat16",
            fp16=train.dtype == "float16",
            gradient_checkpointing=not on_processor if recompute is None else recompute,
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
            train_sampling_strategy="sequential",
            dataloader_pin_memory=not on_processor,
            ddp_find_unused_parameters=False,
            logging_steps=1,
            logging_nan_inf_filter=False,
            log_level="error",
            disable_tqdm=True,
            report_to=list(runtime.report_to) or "none",
            save_strategy="steps",
            save_steps=train.checkpoint_every or -(-steps // 10),
        )
    if config.world_size != ranks.world:
        raise LaunchError(f"{ranks.world} processes were asked for, the trainer finds {config.world_size}")
    config._n_gpu = min(1, config.n_gpu)  # one process drives one GPU, however many it can see
    return config


def _last_checkpoint(watched: Watched) -> Any:
    """Where to go on from, with everything after it taken back."""
    context, folder = watched.context, watched.checkpoints
    if context.ranks.main:
        folder.mkdir(exist_ok=True)
        checkpoints.sweep(folder)
    context.ranks.barrier()
    last = checkpoints.last_whole(folder)
    record = checkpoints.marker(last) if last else None
    if record and record["template"] != watched.template:
        raise TrainError(
            f"it was trained with the chat template {record['template']}, the model now has {watched.template}",
            where=str(last),
            hint="remove the folder and train again",
        )
    step = record["step"] if record else 0
    if context.ranks.main:
        watched.rewind(step)
    if step:
        context.say(f"  train: going on from step {step} of {len(watched.steps)}")
    return last


def _trainer_class() -> Any:
    with quiet():
        from torch.optim.lr_scheduler import LambdaLR
        from trl import SFTTrainer

    class Sft(SFTTrainer):  # type: ignore[misc]
        """TRL's trainer with a lean loss on processors, a schedule that wastes no step, and adapters as checkpoints."""

        def __init__(self, spec: Spec, model: Any, config: Any, dataset: Any, tokenizer: Any) -> None:
            super().__init__(model, config, train_dataset=dataset, processing_class=tokenizer)
            if self.is_fsdp_enabled or self.is_deepspeed_enabled:
                raise TrainError("FSDP and DeepSpeed are not supported yet", hint="use a multi-GPU configuration (DDP)")
            self.spec = spec
            # TRL divides by the tokens of the whole step itself, whatever the model's own forward accepts.
            self.model_accepts_loss_kwargs = True
            self.lean = config.use_cpu and not self.aux_loss_enabled and add_head(model.get_base_model())

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not self.lean or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            # DDP takes the mean over processes of what is a share of one sum.
            return model(**inputs, summed_loss=True)["loss"] / num_items_in_batch * self.accelerator.num_processes

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            train, warmup = self.spec.train, int(self.spec.train.warmup_ratio * num_training_steps)
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rate(step, num_training_steps, warmup, train.scheduler)
            )
            self._created_lr_scheduler = True
            return self.lr_scheduler

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            if self.args.should_save:
                adapters.save(self.model, Path(output_dir or self.args.output_dir))
            self.accelerator.wait_for_everyone()  # the others add their state to the folder

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """The stage writes one, of its own."""

    return Sft


def _check_trackers(names: Sequence[str]) -> None:
    """Before anything is loaded: trackers that transformers knows, and whose packages are installed."""
    from transformers.integrations import integration_utils as known

    for name in names:
        if name not in known.INTEGRATION_TO_CALLBACK:
            hint = f"name some of {', '.join(sorted(known.INTEGRATION_TO_CALLBACK))}"
            raise TrainError(f"{name!r} is no tracker", where="runtime.report_to", hint=hint)
        if name not in known.get_available_reporting_integrations():
            hint = f"pip install {name.replace('_', '-')}, or leave it out"
            raise TrainError(f"the tracker {name} is not installed", where="runtime.report_to", hint=hint)


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
            hint="lower runtime.per_device_batch (the result stays the same), set runtime.gradient_checkpointing: true "
            "or lower train.max_length",
        ) from error

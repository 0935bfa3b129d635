"""`sft`: next-token loss on the assistant's tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill.context import Context
from distill.engines.quiet import quiet
from distill.engines.template import IGNORE
from distill.train import attention, data, passes
from distill.train.learning import Learning
from distill.train.loss import add_head
from distill.train.trainer import ours

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.settings import Spec
    from distill.train.watch import Watched

PASS_TOKENS, PASS_TOKENS_GPU = 2048, 8192
"""Most tokens of a packed pass when the recipe does not say."""


class Sft(Learning):
    objective: Literal["sft"] = "sft"
    """`sft`: next-token loss on the assistant's tokens."""


@dataclass(frozen=True)
class Supervised:
    train: Sft
    tokens: Path
    context: Context
    whole = False

    def read(self) -> data.TrainingData:
        return data.read(self.tokens, self.train.max_length, self.train.too_long)

    def dataset(self, watched: Watched, tokenizer: Tokenizer) -> Dataset:
        pad = tokenizer.pad_token_id
        blank = {"input_ids": [pad, pad], "labels": [IGNORE, IGNORE], "length": 2}
        return data.in_order(watched.data, watched.steps, blank)

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        packed = self.packed(model)
        if packed:
            settings, dataset = self.pack(settings, dataset)
        with quiet():
            from trl import SFTConfig

            config = SFTConfig(**settings, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None)
            more = {"data_collator": passes.collate} if packed else {}
            kind = _trainer_class(self.train, packed)
            return kind(model, config, train_dataset=dataset, processing_class=tokenizer, **more)

    def packed(self, model: Any) -> bool:
        """Whether rows lie one after the other in a pass: if the recipe lets them and every process can keep them apart."""
        if not self.context.runtime.packing:
            return False
        obstacles = [one for one in self.context.ranks.gather([attention.obstacle(model)]) if one]
        if obstacles:
            self.context.say(f"  train: rows are padded, since this model cannot keep them apart: {obstacles[0]}")
        return not obstacles

    def pack(self, settings: dict[str, Any], rows: Dataset) -> tuple[dict[str, Any], Dataset]:
        """The same steps, cut into passes by tokens and not by rows."""
        world, steps = self.context.ranks.world, settings["max_steps"]
        most = self.context.runtime.pass_tokens or (PASS_TOKENS if settings["use_cpu"] else PASS_TOKENS_GPU)
        planned = passes.plan(rows["length"], self.train.batch_size, world, most)
        sizes = {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": len(planned) // steps // world,
            "remove_unused_columns": False,
        }
        return {**settings, **sizes}, passes.dataset(rows, planned)


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Supervised:
    assert isinstance(spec.train, Sft)
    return Supervised(spec.train, inputs["tokenise"] / "train.arrow", context)


def _trainer_class(train: Sft, packed: bool) -> Any:
    with quiet():
        from trl import SFTTrainer

    class Lean(ours(SFTTrainer, train)):  # type: ignore[misc]
        """TRL's trainer with a lean loss on processors, and with rows kept apart where they are packed."""

        def __init__(self, model: Any, args: Any, **kwargs: Any) -> None:
            super().__init__(model, args, **kwargs)
            # TRL divides by the tokens of the whole step itself, whatever the model's own forward accepts.
            self.model_accepts_loss_kwargs = True
            self.lean = args.use_cpu and not self.aux_loss_enabled and add_head(model.get_base_model())

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            # Forward and backward: where activations are computed again, rows are kept apart again.
            with attention.apart(self.model) if packed else nullcontext():
                return super().training_step(*args, **kwargs)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not self.lean or return_outputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            # DDP takes the mean over processes of what is a share of one sum.
            return model(**inputs, summed_loss=True)["loss"] / num_items_in_batch * self.accelerator.num_processes

    return Lean

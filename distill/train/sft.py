"""`sft`: next-token loss on the assistant's tokens, by TRL's SFTTrainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from distill.context import Context
from distill.engines import adapters
from distill.engines.quiet import quiet
from distill.engines.template import IGNORE
from distill.train import data, packing, passes
from distill.train.how import How
from distill.train.learning import Learning
from distill.train.loss import add_head, unsure
from distill.train.trainer import ours

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.settings import Spec
    from distill.train.watch import Watched


class Sft(Learning):
    objective: Literal["sft"] = "sft"
    """`sft`: next-token loss on the assistant's tokens."""
    surest: float = Field(1.0, gt=0, le=1)
    """Tokens that the student already gives a higher probability are left out of the loss: what it is sure of it cannot grow
    surer of, and the rare is learnt instead (ForTIFAI, arXiv:2509.08972). They still count among the tokens that the loss is
    divided by, so that no other token weighs more for it. 1 leaves none out."""

    @property
    def nats(self) -> bool:
        return self.surest == 1


@dataclass(frozen=True)
class Supervised(How):
    train: Sft
    tokens: Path
    context: Context

    def read(self) -> data.TrainingData:
        return data.read(self.tokens, self.train.max_length, self.train.too_long)

    def dataset(self, watched: Watched, tokenizer: Tokenizer) -> Dataset:
        pad = tokenizer.pad_token_id
        blank = {"input_ids": [pad, pad], "labels": [IGNORE, IGNORE], "length": 2}
        return data.in_order(watched.data, watched.steps, blank)

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        packed = packing.possible(model, self.context)
        if packed:
            settings, dataset = packing.pack(settings, dataset, self.train, self.context)
        with quiet():
            from trl import SFTConfig

            config = SFTConfig(**settings, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None)
            collator = passes.collate if packed else None
            made = {"train_dataset": dataset, "processing_class": tokenizer, "data_collator": collator}
            trainer = _trainer_class(self.train)(model, config, **made)
        trainer.packed = packed
        return trainer


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Supervised:
    assert isinstance(spec.train, Sft)
    return Supervised(spec.train, inputs["tokenise"] / "train.arrow", context)


def _trainer_class(train: Sft) -> Any:
    with quiet():
        from trl import SFTTrainer

    class Lean(ours(SFTTrainer, train)):  # type: ignore[misc]
        """TRL's trainer with a lean loss on processors."""

        def __init__(self, model: Any, args: Any, **kwargs: Any) -> None:
            super().__init__(model, args, **kwargs)
            # TRL divides by the tokens of the whole step itself, whatever the model's own forward accepts.
            self.model_accepts_loss_kwargs = True
            self.lean = (
                args.use_cpu
                and not self.is_fsdp_enabled
                and not self.aux_loss_enabled
                and adapters.worn(model)
                and add_head(model.get_base_model())
            )

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not self.lean or return_outputs:
                told = unsure(model, train.surest) if train.surest < 1 else model
                return super().compute_loss(told, inputs, return_outputs, num_items_in_batch)
            # DDP takes the mean over processes of what is a share of one sum.
            summed = model(**inputs, summed_loss=True, surest=train.surest)["loss"]
            return summed / num_items_in_batch * self.accelerator.num_processes

    return Lean

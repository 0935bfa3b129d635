"""`logits`: the divergence from the teacher's distributions that `score` kept, mixed with the next-token loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.context import Context
from distill.engines import adapters
from distill.engines.quiet import quiet
from distill.engines.template import IGNORE
from distill.errors import TrainError
from distill.soft_targets import Cache, Keep, TopK
from distill.train import data, packing, passes
from distill.train.divergence import Divergence, Mixture, add_loss
from distill.train.how import How
from distill.train.learning import Learning
from distill.train.trainer import ours

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.settings import Spec
    from distill.train.watch import Watched

APART = 100
"""So many times larger than the other, one of two losses decides alone."""


class Logits(Learning):
    SCORED: ClassVar[bool] = True
    LOSS: ClassVar[str] = (
        "It learnt at the assistant's tokens and the stop token only: what its teacher expected there, and, with a `weight` "
        "below 1, the tokens themselves"
    )

    objective: Literal["logits"]
    """`logits`: the divergence from the teacher's distributions over the rows of the mix, which `score` keeps."""
    keep: Keep = TopK()
    """What of each distribution: the `top_k` likeliest tokens with the mass of all others, or ids that are `sampled`."""
    divergence: Divergence = "forward_kl"
    beta: float | None = Field(None, gt=0, lt=1)
    """Of `jensen_shannon`: the teacher's share of the mean; 0.5 when not given."""
    weight: float = Field(0.5, ge=0, le=1)
    """Of the divergence; the next-token loss has the rest."""
    temperature: float = Field(1.0, gt=0)
    """Both distributions are softened by it, and the divergence is multiplied by its square."""

    @model_validator(mode="after")
    def _fits(self) -> Logits:
        if self.keep.kind == "sampled" and self.divergence != "forward_kl":
            raise ValueError(
                f"{self.divergence} looks at what the student finds likely, which draws from the teacher miss: "
                "write keep: {kind: top_k}, or divergence: forward_kl"
            )
        if self.beta is not None and self.divergence != "jensen_shannon":
            raise ValueError(f"beta is for divergence: jensen_shannon, not for {self.divergence}; leave it out")
        return self


@dataclass(frozen=True)
class Distilled(How):
    train: Logits
    tokens: Path
    scores: Path
    context: Context

    def read(self) -> data.TrainingData:
        """Every row that fits, checked to have the teacher's distributions at each of its learnt tokens."""
        rows, cache = data.read(self.tokens, self.train.max_length, self.train.too_long), Cache(self.scores)
        for name, learnt in zip(rows.ids, rows.learnt, strict=True):
            found = cache[name].positions if name in cache else 0
            if found != learnt:
                raise TrainError(
                    f"the teacher's distributions are there at {found} of its {learnt} learnt tokens",
                    where=f"row {name}",
                    hint=f"remove {self.scores} and run again",
                )
        return rows

    def dataset(self, watched: Watched, tokenizer: Tokenizer) -> Dataset:
        pad = tokenizer.pad_token_id
        blank = {"id": "", "input_ids": [pad, pad], "labels": [IGNORE, IGNORE], "length": 2}
        return data.in_order(watched.data, watched.steps, blank)

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        cache = Cache(self.scores)
        packed = packing.possible(model, self.context)
        if packed:
            settings, dataset = packing.pack(settings, dataset, self.train, self.context)
        settings = {**settings, "remove_unused_columns": False}  # the collator goes by the id
        with quiet():
            from trl import SFTConfig
            from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

            config = SFTConfig(
                **settings,
                dataset_kwargs={"skip_prepare_dataset": True},
                max_length=None,
                router_aux_loss_coef=0.0,  # routers are frozen
            )
            padded = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)
            collator = Collator(passes.collate if packed else padded, cache, packed)
            made = {"train_dataset": dataset, "processing_class": tokenizer, "data_collator": collator}
            trainer = _trainer_class(self.train, cache.about.vocabulary)(model, config, **made)
        trainer.packed = packed
        return trainer

    def measured(self, logs: Mapping[str, Any]) -> dict[str, float]:
        return {name: float(logs[name]) for name in ("divergence", "nll")}

    def notes(self, steps: Sequence[Mapping[str, float]]) -> list[str]:
        return unbalanced(self.train, steps)


@dataclass(frozen=True)
class Collator:
    """Rows -> tensors, and with them what the teacher says of their learnt tokens."""

    tokens: Any
    """TRL's own, or that of passes."""
    cache: Cache
    packed: bool
    """Whether it is given a pass and not rows."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from distill.train import targets

        names = rows[0]["id"] if self.packed else [row["id"] for row in rows]
        known = [self.cache[name] for name in names if name]
        pairs = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
        return {**self.tokens(pairs), "teacher": targets.batch(known, self.cache.about.keep)}


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Distilled:
    assert isinstance(spec.train, Logits)
    scores = next(path for name, path in inputs.items() if name.partition("/")[0] == "score")
    return Distilled(spec.train, inputs["tokenise"] / "train.arrow", scores, context)


def unbalanced(train: Logits, log: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note where one of the two losses is so small that mixing them does nothing."""
    divergence = train.temperature**2 * sum(line["divergence"] for line in log) / len(log)
    nll = sum(line["nll"] for line in log) / len(log)
    if train.weight in (0, 1) or max(divergence, nll) < APART * max(min(divergence, nll), 0):
        return []
    small = "divergence" if divergence < nll else "next-token loss"
    return [
        f"The divergence was {divergence:.3g} nats per token and the next-token loss {nll:.3g}: one is more than {APART} "
        f"times the other, so that the {small} decides next to nothing. Both would count alike with train.weight: "
        f"{nll / (nll + max(divergence, 0)):.4g}."
    ]


def _trainer_class(train: Logits, vocabulary: int) -> Any:
    import torch

    with quiet():
        from trl import SFTTrainer
    mixture = Mixture(train.divergence, train.beta or 0.5, train.weight, train.temperature, vocabulary)

    class Mixing(ours(SFTTrainer, train)):  # type: ignore[misc]
        """TRL's trainer with another loss."""

        def __init__(self, model: Any, args: Any, **kwargs: Any) -> None:
            super().__init__(model, args, **kwargs)
            # The loss is divided by the tokens of the whole step here, whatever the model's own forward accepts.
            self.model_accepts_loss_kwargs = True
            self.parts = torch.zeros(2, device=self.accelerator.device)
            add_loss(adapters.base(model), mixture, lean=not self.is_fsdp_enabled)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if "teacher" not in inputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            sums = model(**inputs)
            self.parts += sums["parts"].detach() / num_items_in_batch
            # DDP takes the mean over processes of what is a share of one sum.
            return sums["loss"] / num_items_in_batch * self.accelerator.num_processes

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            if "loss" in logs:
                logs["divergence"], logs["nll"] = self.accelerator.reduce(self.parts, "sum").tolist()
                self.parts.zero_()
            super().log(logs, start_time)

    return Mixing

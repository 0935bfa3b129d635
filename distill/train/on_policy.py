"""`on_policy`: the student writes, the teacher says how it would have gone on at every token, by TRL's DistillationTrainer.

The prompts are those of the mix's conversations, in tokens of our own rendering. The student writes by the same code that
answers requests elsewhere: noise from seed, step and row alone, finished answers leave the batch, any stop token of the
model ends one. So a resumed run writes what an undisturbed one would have, and two processes what one would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from distill.context import Context
from distill.engines import models
from distill.engines.placement import Placement
from distill.engines.quiet import quiet
from distill.engines.teacher import Teacher
from distill.engines.template import template_hash
from distill.engines.vocabulary import align, check_same, size
from distill.errors import TrainError
from distill.protocols import Sampling
from distill.train import data
from distill.train.how import How
from distill.train.learning import Learning

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.engines.models import Loaded
    from distill.train.settings import Spec
    from distill.train.watch import Watched

LAST = 0.25
"""Share of the steps, the last ones, by which it is judged whether the student stops."""


class OnPolicy(Learning):
    TEACHER: ClassVar[bool] = True
    LOSS: ClassVar[str] = (
        "It wrote answers itself and learnt from what its teacher gave every token of them, the stop token too; of the rows "
        "above it read the prompts"
    )

    objective: Literal["on_policy"]
    """`on_policy`: the divergence from the teacher over answers that the student writes itself."""
    checkpoint: Literal["best", "last"] = "last"
    """As for the others; the last, as the next-token loss on real rows is not what is learnt here."""
    beta: float = Field(1.0, ge=0, le=1)
    """0 is the forward divergence, 1 the reverse one, 0.5 Jensen-Shannon's."""
    temperature: float = Field(1.0, gt=0)
    """The student writes at it, and both distributions are softened by it."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Of what the student writes; both distributions are compared whole."""
    max_new_tokens: int = Field(256, gt=0)
    """Of an answer; with its prompt it must fit into `max_length`."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_new_tokens=self.max_new_tokens)


@dataclass(frozen=True)
class Distilling(How):
    train: OnPolicy
    teacher: Teacher
    student: str
    """Reference to the base model."""
    seed: int
    tokens: Path
    context: Context
    whole: ClassVar[bool] = True

    def read(self) -> data.TrainingData:
        from datasets import Dataset

        table = Dataset.from_file(str(self.tokens))
        asked = [place for place, length in enumerate(table["prompt"]) if length]
        if not asked:
            raise TrainError(
                f"none of the {len(table)} rows of the mix has a prompt that a student could answer",
                where="train.objective",
                hint="on_policy needs conversations: add a method or real data that has some",
            )
        prompts = table.select(asked).remove_columns(["length", "learnt", "labels"]).rename_column("prompt", "length")
        train = self.train
        return data.fitting(prompts, "length", train.max_length, train.too_long, self.tokens, train.max_new_tokens)

    def dataset(self, watched: Watched, _tokenizer: Tokenizer) -> Dataset:
        return data.in_order(watched.data, watched.steps, {"id": "", "length": 1, "input_ids": [0]})

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        from distill.train.rollout import Rollout, trainer_class

        loaded = self._load_teacher()
        check_same(tokenizer, loaded.tokenizer, self.student, self.teacher.model)
        align(model, loaded.model)
        stops = frozenset(models.stop_ids(model, tokenizer))
        batch_tokens = self.context.runtime.batch_tokens
        rollout = Rollout(self.train.sampling, self.seed, stops, size(tokenizer), batch_tokens)
        with quiet():
            from trl import DistillationConfig

            config = DistillationConfig(
                **settings,
                beta=self.train.beta,
                temperature=self.train.temperature,
                max_completion_length=self.train.max_new_tokens,
                shuffle_dataset=False,
                generation_kwargs={"eos_token_id": sorted(stops)},
            )
            trainer: Trainer = trainer_class(self.train, rollout)(
                model, loaded.model, config, train_dataset=dataset, processing_class=tokenizer
            )
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
            raise TrainError(
                "a student in parts cannot write: its processes would have to write equally many tokens",
                where="runtime.launch.train",
                hint="train on_policy with a configuration that keeps it whole (single_gpu, multi_gpu)",
            )
        return trainer

    def measured(self, logs: Mapping[str, Any]) -> dict[str, float]:
        length = float(logs["completions/mean_length"])
        return {
            "tokens": round(length * self.train.batch_size),
            "answer_tokens": length,
            "stopped": 1 - float(logs["completions/clipped_ratio"]),
            "entropy": float(logs["entropy"]),
        }

    def notes(self, steps: Sequence[Mapping[str, float]]) -> list[str]:
        notes, last = [], steps[-max(1, round(LAST * len(steps))) :]
        stopped = sum(step["stopped"] for step in last) / len(last)
        if stopped < 0.5:
            notes.append(
                f"The student ended {stopped:.0%} of its answers by itself in the last {len(last)} steps; the others were cut "
                f"off at {self.train.max_new_tokens} tokens. Let it learn to stop first (sft), or raise max_new_tokens."
            )
        theirs, ours = (
            template_hash(models.load_tokenizer(self.context.resolved[ref], self.context.cache))
            for ref in (self.teacher.model, self.student)
        )
        if theirs != ours:
            notes.append(f"The teacher, whose own chat template is {theirs}, read the student's answers in {ours}.")
        return notes

    def _load_teacher(self) -> Loaded:
        engine, resolved = self.teacher.engine, self.context.resolved
        assert engine.kind == "transformers", "others are refused by `check`"
        adapter = models.adapter_folder(resolved[self.teacher.adapter]) if self.teacher.adapter else None
        placement = Placement(engine.quantization)
        source = resolved[self.teacher.model]
        return models.load(source, self.context.cache, engine.dtype, adapter=adapter, placement=placement)


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Distilling:
    assert isinstance(spec.train, OnPolicy) and spec.teacher is not None
    tokens = inputs["tokenise"] / "train.arrow"
    return Distilling(spec.train, spec.teacher, spec.student.model, spec.seed, tokens, context)

"""The seam between the training loop, which is one, and the objectives, of which each has a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from distill.context import Context

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.data import TrainingData
    from distill.train.settings import Spec
    from distill.train.watch import Watched


class How(Protocol):
    """How one objective learns. Made by `open_how` from the spec; nothing heavy is loaded before it is asked."""

    whole: bool
    """Whether the last step is filled with rows of the next epoch: for a loss that cannot leave a place blank."""

    def read(self) -> TrainingData:
        """The rows it learns from, as tokens.

        Raises:
            TrainError: rows that it cannot learn from.
        """
        ...

    def dataset(self, watched: Watched, tokenizer: Tokenizer) -> Dataset:
        """The rows of all steps, one after the other, as its trainer reads them."""
        ...

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        """TRL's trainer for it, made of the settings that all objectives have (`loop.configure`) and its own."""
        ...


def open_how(spec: Spec, inputs: Mapping[str, Path], context: Context) -> How:
    """The objective of a spec."""
    from distill.train import logits, sft

    objectives: Mapping[str, Callable[[Spec, Mapping[str, Path], Context], How]]
    objectives = {"sft": sft.open_how, "logits": logits.open_how}
    return objectives[spec.train.objective](spec, inputs, context)

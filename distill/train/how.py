"""The seam between the training loop, which is one, and the objectives, of which each has a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.data import TrainingData
    from distill.train.watch import Watched


class How(Protocol):
    """How one objective learns. Made by `objectives.open_how` from the spec; nothing heavy is loaded before it is asked.

    An objective names it as its base, for what most of them leave as it is here.
    """

    whole: ClassVar[bool] = False
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

    def measured(self, _logs: Mapping[str, Any]) -> dict[str, float]:
        """What a step's line of the log has besides the loss, out of what the trainer says of the step.

        `tokens`: those of the loss that no row has.
        """
        return {}

    def notes(self, _steps: Sequence[Mapping[str, float]]) -> list[str]:
        """What of the whole training should be seen.

        Args:
            steps: what was `measured` of each step.
        """
        return []

"""`preference`: chosen answers above rejected ones, by TRL's DPOTrainer.

What the student is held near to is the student as this training finds it: the base model under a fresh adapter, which
changes nothing yet, or the student of the training before. TRL keeps a frozen copy of the adapter for it; where all weights
are trained, they are copied. The loss of the first step is ln 2 either way: neither answer has gained on the other.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from distill.context import Context
from distill.engines import adapters
from distill.engines.quiet import quiet
from distill.train import data
from distill.train.how import How
from distill.train.learning import Learning
from distill.train.trainer import ours

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase as Tokenizer
    from transformers import Trainer

    from distill.train.settings import Spec
    from distill.train.watch import Watched

MEASURED = {
    "accuracy": "rewards/accuracies",
    "margin": "rewards/margins",
    "reward_chosen": "rewards/chosen",
    "reward_rejected": "rewards/rejected",
    "logp_chosen": "logps/chosen",
    "logp_rejected": "logps/rejected",
}
"""Name in log.jsonl -> TRL's. A reward is beta times what an answer gained in log-probability, and accuracy the share of
pairs whose chosen answer gained more; all are means over the pairs of a step."""


class Preference(Learning):
    READS: ClassVar[str] = "preference"
    LOSS: ClassVar[str] = (
        "It learnt to find the chosen answer of each pair likelier than it had, and the rejected one less likely (DPO)"
    )

    objective: Literal["preference"]
    """`preference`: DPO on pairs of answers, as `rank` writes them."""
    checkpoint: Literal["best", "last"] = "last"
    """As for the others; the last, as the next-token loss on real rows is not what is learnt here."""
    beta: float = Field(0.1, gt=0)
    """How far the student may go from where it starts; smaller is further."""


@dataclass(frozen=True)
class Preferring(How):
    train: Preference
    tokens: Path
    whole: ClassVar[bool] = True

    def read(self) -> data.TrainingData:
        from datasets import Dataset

        table = Dataset.from_file(str(self.tokens))
        return data.fitting(table, "longest", self.train.max_length, self.train.too_long, self.tokens)

    def dataset(self, watched: Watched, _tokenizer: Tokenizer) -> Dataset:
        blank = {"prompt_ids": [0], "chosen_ids": [0], "rejected_ids": [0]}
        return data.in_order(watched.data, watched.steps, blank)

    def trainer(self, model: Any, settings: dict[str, Any], dataset: Dataset, tokenizer: Tokenizer) -> Trainer:
        with quiet():
            from trl import DPOConfig, DPOTrainer

            class Ours(ours(DPOTrainer, self.train)):  # type: ignore[misc]
                def _prepare_dataset(self, dataset: Dataset, *_args: Any) -> Dataset:
                    return dataset  # tokens already, of our own rendering

            config = DPOConfig(**settings, beta=self.train.beta, loss_type=["sigmoid"], max_length=None)
            # TRL copies an adapter as it began; where all weights are trained, they are copied here.
            begun = None if adapters.worn(model) else copy.deepcopy(model).requires_grad_(False).eval()
            trainer: Trainer = Ours(model, begun, args=config, train_dataset=dataset, processing_class=tokenizer)
            return trainer

    def measured(self, logs: Mapping[str, Any]) -> dict[str, float]:
        return {name: float(logs[theirs]) for name, theirs in MEASURED.items()}


def open_how(spec: Spec, inputs: Mapping[str, Path], _context: Context) -> Preferring:
    assert isinstance(spec.train, Preference)
    return Preferring(spec.train, inputs["tokenise"] / "preference.arrow")

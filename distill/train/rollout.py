"""prompts as tokens -> the student's own answers, inside TRL's DistillationTrainer.

TRL would render and pad the prompts itself, draw from the process's own noise and write on until the last of a batch has
ended. Here the prompts are tokens already, and what writes is `engines.decode`, as for every other answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill.engines.cache import joinable
from distill.engines.decode import decode
from distill.engines.lane import Lane, Row
from distill.engines.quiet import quiet
from distill.protocols import Request, Sampling
from distill.rows import Message
from distill.train.trainer import ours

if TYPE_CHECKING:
    from distill.train.on_policy import OnPolicy


@dataclass(frozen=True)
class Rollout:
    """How the student writes."""

    sampling: Sampling
    seed: int
    stops: frozenset[int]
    vocabulary: int
    """Ids that stand for a token."""
    batch_tokens: int

    def write(self, model: Any, prompts: Sequence[tuple[str, list[int]]], step: int) -> list[list[int]]:
        """An answer to each prompt, its stop token included where it came to one.

        Args:
            prompts: id of the row, and its tokens.
            step: its noise is its own.
        """
        rows = [Row(self._request(name, step), ids, self.stops) for name, ids in prompts]
        longest_first = sorted(rows, key=lambda row: -len(row.prompt))
        lane = Lane(longest_first, self.batch_tokens, rigid=not joinable(model.config))
        for _ in decode(model, lane, lambda row: row.answer[-1] in self.stops, self.vocabulary):
            pass
        return [row.answer for row in rows]

    def _request(self, name: str, step: int) -> Request:
        """Not asked of anybody: its key is what the noise is drawn from."""
        return Request((Message(role="user", content=name),), self.sampling, self.seed, step)


def trainer_class(train: OnPolicy, rollout: Rollout) -> type:
    """TRL's trainer, writing by a rollout."""
    import torch

    with quiet():
        from trl import DistillationTrainer

    class Ours(ours(DistillationTrainer, train)):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.eos_token_ids = sorted(rollout.stops)

        def _generate_and_score_completions(self, inputs: Sequence[dict[str, Any]]) -> Any:
            prompts = [(one["id"], one["input_ids"][: one["length"]]) for one in inputs]
            return super()._generate_and_score_completions([{"prompt": prompt} for prompt in prompts])

        def _tokenize_prompts(self, prompts: Sequence[tuple[str, list[int]]]) -> Any:
            return [ids for _, ids in prompts], None, {"names": [name for name, _ in prompts]}

        def _generate_single_turn(self, prompts: list[list[int]], _images: None, fields: dict[str, Any]) -> Any:
            model = self.accelerator.unwrap_model(self.model)
            named = list(zip(fields["names"], prompts, strict=True))
            model.eval()  # no dropout while it writes
            try:
                with self.accelerator.autocast():
                    return rollout.write(model, named, self.state.global_step)
            finally:
                model.train()

        def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
            return _trimmed(super()._prepare_inputs(generation_batch))

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            with self.accelerator.autocast():  # TRL goes past the forward that has it
                return super().compute_loss(*args, **kwargs)

        def _get_last_hidden_state(self, model: Any, *args: Any, **kwargs: Any) -> Any:
            """The teacher's in its own dtype, whatever the student is trained in."""
            own = model is self.accelerator.unwrap_model(self.teacher_model)
            with torch.autocast(self.accelerator.device.type, enabled=False) if own else nullcontext():
                return super()._get_last_hidden_state(model, *args, **kwargs)

    return Ours


def _trimmed(inputs: dict[str, Any]) -> dict[str, Any]:
    """One pass's share of a step, without the columns that only the others need: TRL pads to the longest of the step."""
    before = int(inputs["prompt_mask"].sum(dim=1).max())
    behind = int(inputs["completion_mask"].sum(dim=1).max())
    cut = {f"prompt_{part}": inputs[f"prompt_{part}"][:, -before:] for part in ("ids", "mask")}
    cut |= {f"completion_{part}": inputs[f"completion_{part}"][:, :behind] for part in ("ids", "mask")}
    return {**inputs, **cut}

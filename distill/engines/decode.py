"""rows -> new tokens: a lane of rows through the model, a step at a time. It knows nothing of text.

    the batch changes    prompts of those that enter are read, the cache is put together anew
    otherwise            every row of the batch gets one more token

While nobody in the batch needs an answer the model rests and the steps are only counted. In float32 that changes no bit
of what is written afterwards, since a row's numbers follow from its own tokens and from the shape of the batch (not so
in a mixture of experts, where the rows of one expert share a matrix).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from distill.engines.batches import plan
from distill.engines.cache import joined, new_cache
from distill.engines.lane import STRETCH, Change, Lane, Row
from distill.engines.sampling import Picker, noise

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DynamicCache, PreTrainedModel

READ_TOKENS, READ_TOKENS_GPU = 2048, 32768
"""Most tokens of prompts that are read at once: enough to keep a processor busy, and little padding; a GPU waits for the host
until it has more."""


def decode(model: PreTrainedModel, lane: Lane, ends: Callable[[Row], bool], vocabulary: int) -> Iterator[Row]:
    """Write the answers that are not known, and yield each row as it is done.

    Args:
        ends: whether a row's newest token ends it.
        vocabulary: ids that stand for a token; what a model's output layer has beyond them is padding.
    """
    batch: Batch | None = None
    while not lane.over:
        change = lane.change()
        rows = lane.batch if change is None else change.entering
        if lane.idle:
            batch, tokens = None, [0] * len(rows)
        elif change is not None:
            batch, tokens = _changed(model, batch, change, lane, vocabulary)
        else:
            assert batch is not None, "who is not known enters by a change"
            tokens = batch.step()
        for row, token in zip(rows, tokens, strict=True):
            if not row.done:
                row.answer.append(token)
                row.ended = row.known is None and ends(row)
                if row.done and row.known is None:
                    yield row


class Batch:
    """The rows that are in the model at once.

    Args:
        rows: in the order of the cache.
        width: filled columns of the cache.
    """

    def __init__(
        self, model: PreTrainedModel, rows: Sequence[Row], cache: DynamicCache, width: int, vocabulary: int
    ) -> None:
        import torch

        self.cache = cache
        self._model, self._rows, self._width, self._vocabulary = model, rows, width, vocabulary
        device = model.device
        self._starts = torch.tensor([[width - row.cached] for row in rows], device=device)
        self._positions = torch.tensor([[row.cached] for row in rows], device=device)
        # A row that is done stays for a while; it must not run beyond the positions that the model has.
        self._last = torch.tensor([[row.reserved - 1] for row in rows], device=device)
        self._pick = Picker([row.request.sampling for row in rows], device)

    def step(self) -> list[int]:
        """The next token of every row."""
        import torch

        device = self._model.device
        self._width += 1
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([[row.answer[-1]] for row in self._rows], device=device),
                attention_mask=(torch.arange(self._width, device=device) >= self._starts).long(),
                position_ids=torch.minimum(self._positions, self._last),
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self._positions += 1
            return _pick(self._pick, output.logits[:, -1, : self._vocabulary], self._rows)


def _changed(
    model: PreTrainedModel, batch: Batch | None, change: Change, lane: Lane, vocabulary: int
) -> tuple[Batch, list[int]]:
    """The next batch, and the first token of each row that enters it.

    Args:
        batch: the one before; None where nothing was computed for it.
    """
    import torch

    with torch.inference_mode():
        fresh, tokens = [], []
        most = READ_TOKENS if model.device.type == "cpu" else READ_TOKENS_GPU
        for group in plan([len(row.prompt) for row in change.entering], sys.maxsize if lane.rigid else most):
            read = [change.entering[place] for place in group]
            cache, logits = _read(model, [row.prompt for row in read])
            fresh.append(cache)
            pick = Picker([row.request.sampling for row in read], logits.device)
            tokens += _pick(pick, logits[:, :vocabulary], read)
        width = max(row.cached for row in lane.batch)
        if not lane.rigid:
            staying = torch.tensor(change.staying, dtype=torch.long)
            cache = joined(batch.cache if batch else None, staying, fresh, width, width + STRETCH)
        return Batch(model, lane.batch, cache, width, vocabulary), tokens


def _read(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> tuple[DynamicCache, Tensor]:
    """The cache of some prompts and the logits behind each: those that are equal are read once."""
    import torch

    distinct = list(dict.fromkeys(map(tuple, prompts)))
    ids, mask = _left_padded(distinct, model.device)
    cache = new_cache(model.config)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: Tensor = output.logits[:, -1]
    if len(distinct) < len(prompts):
        places = {prompt: place for place, prompt in enumerate(distinct)}
        chosen = torch.tensor([places[tuple(prompt)] for prompt in prompts], device=logits.device)
        cache.reorder_cache(chosen)
        logits = logits[chosen]
    return cache, logits


def _pick(pick: Picker, logits: Tensor, rows: Sequence[Row]) -> list[int]:
    tokens: list[int] = pick(logits, [noise(row.request.key, len(row.answer)) for row in rows]).tolist()
    return tokens


def _left_padded(prompts: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, both (B, T), all prompts ending in the last column."""
    import torch

    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)

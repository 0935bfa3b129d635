"""token ids and labels -> log-probabilities of the answer: one batch through the model. It knows nothing of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distill.engines.template import IGNORE, Encoded, answer_span
from distill.errors import EngineError
from distill.protocols import ScoreRequest, TokenScores

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

CHUNK = 512
"""Positions whose whole vocabulary is in float32 at a time: 100 MB for 50 000 tokens."""


def score(
    model: PreTrainedModel, batch: Sequence[tuple[ScoreRequest, Encoded]], top_k: int, vocabulary: int | None = None
) -> list[TokenScores]:
    """Scores of each row's answer; the model's output is computed at the answers' positions only.

    Args:
        vocabulary: ids that stand for a token. Output layers are often padded beyond them, not all of a family alike:
            the padding can be neither said nor scored, so that it takes no part.
    """
    spans = [answer_span(encoded) for _, encoded in batch]
    rows = [(encoded.ids, range(start - 1, end - 1)) for (_, encoded), (start, end) in zip(batch, spans, strict=True)]
    logits = logits_at(model, rows, vocabulary)
    results = []
    for (request, encoded), (start, end) in zip(batch, spans, strict=True):
        results.append(of_answer(request, encoded.ids[start:end], logits[: end - start], top_k))
        logits = logits[end - start :]
    return results


def logits_at(
    model: PreTrainedModel, rows: Sequence[tuple[Sequence[int], Iterable[int]]], vocabulary: int | None
) -> Tensor:
    """(N, V) logits of a batch: of each row, token ids and ascending positions in it, one row after the other."""
    import torch

    width = max(len(tokens) for tokens, _ in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    for row, (tokens, positions) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        wanted[row, list(positions)] = True
    device = model.device
    with only_at(model, wanted.to(device)):
        output = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
    logits: Tensor = output.logits[0, :, :vocabulary]
    return logits


def foretold(
    model: PreTrainedModel, rows: Iterable[tuple[Sequence[int], Sequence[int]]]
) -> tuple[Tensor, Tensor, list[int]]:
    """What a batch says of its learnt tokens: (N, V) logits, the N tokens, one row after the other, and how many each row has.

    Args:
        rows: token ids and labels.
    """
    import torch

    asked, learnt, counts = [], [], []
    for ids, labels in rows:
        places = [place for place in range(1, len(labels)) if labels[place] != IGNORE]
        asked.append((ids, [place - 1 for place in places]))  # a token is foretold by the position before it
        learnt += [labels[place] for place in places]
        counts.append(len(places))
    logits = logits_at(model, asked, None)
    return logits, torch.tensor(learnt, dtype=torch.long, device=logits.device), counts


def failure(key: str, error: str) -> TokenScores:
    """What became of a request that could not be scored."""
    import numpy as np

    ids, numbers = np.zeros(0, np.int32), np.zeros(0, np.float32)
    return TokenScores(key, ids, numbers, ids, ids.reshape(0, 0), numbers.reshape(0, 0), error=error)


def of_answer(request: ScoreRequest, tokens: list[int], logits: Tensor, top_k: int) -> TokenScores:
    """Scores of one answer: T tokens, (T, V) logits."""
    import numpy as np
    import torch

    if request.at is not None and len(request.at) != len(tokens):
        raise EngineError(
            f"scores are asked at {len(request.at)} positions of an answer of {len(tokens)} tokens",
            where=request.key,
            hint="both models must have one tokenizer and one chat template",
        )
    parts: list[tuple[Tensor, ...]] = []
    for start in range(0, len(tokens), CHUNK):
        logprobs = torch.log_softmax(logits[start : start + CHUNK].float(), dim=-1)
        answer = torch.tensor(tokens[start : start + CHUNK], device=logprobs.device)[:, None]
        if request.at is None:
            values, ids = logprobs.topk(min(top_k, logprobs.shape[1]), dim=-1)
        else:
            ids = torch.from_numpy(request.at[start : start + CHUNK].astype(np.int64)).to(logprobs.device)
            values = logprobs.gather(1, ids)
        parts.append((logprobs.gather(1, answer)[:, 0], logprobs.argmax(dim=-1), ids, values))
    answered, best, top_ids, top = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
    if not np.isfinite(answered).all():
        return failure(request.key, "the model's output is not a number")
    return TokenScores(
        request=request.key,
        tokens=np.array(tokens, np.int32),
        logprobs=answered,
        best=best.astype(np.int32),
        top_ids=top_ids.astype(np.int32),
        top_logprobs=top,
    )


@contextmanager
def only_at(model: PreTrainedModel, wanted: Tensor) -> Iterator[None]:
    """Inside, the output layer sees only the wanted positions of (B, T), as (1, N): a tenth of the memory, often.

    At the layer and not around the model, so that what a model does to its logits afterwards (caps, scales) is done.
    """

    def gather(_: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][wanted][None], *inputs[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()

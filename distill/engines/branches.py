"""packs of rows with common beginnings + a model -> logits where they are wanted: each sees its own row alone.

A mask says which tokens each one sees. Whether a model goes by such a mask and by the places it is given is tried out on
it, not looked up; one that does not is given its rows side by side, with padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.engines.prefixes import Pack, pack
from distill.engines.quiet import quiet
from distill.engines.scoring import of_answer, only_at
from distill.engines.template import Encoded, answer_span
from distill.protocols import ScoreRequest, TokenScores

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

PACK_TOKENS = 512
"""Tokens of a pack: attention takes the time of all pairs of them, a tenth of the whole at this size."""
PACKS, FEWEST_TOKENS = 16, 64
"""Of few rows so many packs are made, for processes to share, unless they would be smaller than that."""
MASKED = ("sdpa", "eager")
"""Attention that goes by a mask of its own making."""
CAUSAL = {"full_attention", "sliding_attention"}
"""Kinds of layers that look at nothing but the row's own past, and only through attention."""
ROUNDING, ROUNDING_FLOAT32 = 0.03, 1e-3
"""Largest relative difference that is rounding, in short dtypes and in float32."""
LIKE_ALONE = 10
"""So many times that may a row differ from itself alone: each size of a batch rounds otherwise, and every layer adds to it."""


def packed(asked: Sequence[tuple[ScoreRequest, Encoded]], most: int) -> list[Pack]:
    """The rows that are asked for in packs, but for those that are too long for one. What comes after the last token that
    foretells is left out.

    Args:
        most: tokens of a pack at most.
    """
    whole = sum(len(encoded.ids) for _, encoded in asked)
    most = min(PACK_TOKENS, max(whole // PACKS, FEWEST_TOKENS), most)
    short = [place for place, (_, encoded) in enumerate(asked) if len(encoded.ids) <= most]
    packs = pack([asked[place][1].ids[: answer_span(asked[place][1])[1] - 1] for place in short], most)
    for one in packs:
        one.rows = [short[row] for row in one.rows]
    return packs


def score(
    model: PreTrainedModel,
    packs: Sequence[Pack],
    asked: Sequence[tuple[ScoreRequest, Encoded]],
    top_k: int,
    vocabulary: int | None,
) -> list[TokenScores]:
    """Scores of the rows of some packs, as `scoring.score` gives them."""
    spans = {row: answer_span(asked[row][1]) for one in packs for row in one.rows}
    foretelling = [
        [path[spans[row][0] - 1 : spans[row][1] - 1] for row, path in zip(one.rows, one.paths, strict=True)]
        for one in packs
    ]
    # Two answers to a question are foretold by one token.
    wanted = [sorted({token for tokens in rows for token in tokens}) for rows in foretelling]
    results = []
    for one, rows, tokens, logits in zip(
        packs, foretelling, wanted, logits_of(model, packs, wanted, vocabulary), strict=True
    ):
        places = {token: place for place, token in enumerate(tokens)}
        for row, own in zip(one.rows, rows, strict=True):
            request, encoded = asked[row]
            answer = encoded.ids[slice(*spans[row])]
            results.append(of_answer(request, answer, logits[[places[token] for token in own]], top_k))
    return results


def logits_of(
    model: PreTrainedModel, packs: Sequence[Pack], wanted: Sequence[Sequence[int]], vocabulary: int | None
) -> list[Tensor]:
    """(N, V) logits of each pack at ascending tokens of it."""
    import torch

    width = max(len(one.ids) for one in packs)
    ids = torch.zeros(len(packs), width, dtype=torch.long)
    places = torch.zeros_like(ids)
    at = torch.zeros_like(ids, dtype=torch.bool)
    # What is padding sees itself: a token that sees nothing is no number in some kernels.
    mask = torch.eye(width, dtype=torch.bool).repeat(len(packs), 1, 1)
    for row, (one, tokens) in enumerate(zip(packs, wanted, strict=True)):
        length = len(one.ids)
        ids[row, :length], places[row, :length] = torch.tensor(one.ids), torch.tensor(one.places)
        mask[row, :length, :length] = torch.from_numpy(one.seen())
        at[row, list(tokens)] = True
    device = model.device
    with only_at(model, at.to(device)):
        output = model(
            input_ids=ids.to(device),
            attention_mask=_for(model, mask[:, None].to(device)),
            position_ids=places.to(device),
            use_cache=False,
        )
    return list(torch.split(output.logits[0, :, :vocabulary], [len(tokens) for tokens in wanted]))


def _for(model: PreTrainedModel, mask: Tensor) -> Tensor:
    """The mask as the model's attention takes it: numbers to add where it is written out in full."""
    import torch

    if model.config.get_text_config()._attn_implementation != "eager":
        return mask
    return torch.zeros(mask.shape, dtype=model.dtype, device=mask.device).masked_fill(
        ~mask, torch.finfo(model.dtype).min
    )


def longest(packs: Sequence[Pack]) -> int:
    """Tokens of the longest row."""
    return max((len(path) for one in packs for path in one.paths), default=0)


def window(model: Any) -> float:
    """Tokens that a layer sees at most: rows are no longer than that, for the mask knows of no window."""
    return getattr(model.config.get_text_config(), "sliding_window", None) or math.inf


def obstacle(model: Any) -> str | None:
    """Why rows with a common beginning cannot lie in one pack of this model, None where they can."""
    import torch

    config = model.config.get_text_config()
    if config._attn_implementation not in MASKED:
        return f"its attention is {config._attn_implementation}"
    if other := set(getattr(config, "layer_types", None) or ()) - CAUSAL:
        return f"it has layers of kind {', '.join(sorted(other))}"
    try:
        with torch.no_grad(), quiet():
            moved, away = _tried(model, config.vocab_size)
    except Exception as error:  # whatever a model does that was never tried with it
        return f"{type(error).__name__}: {str(error)[:200]}"
    bound = ROUNDING_FLOAT32 if model.dtype == torch.float32 else ROUNDING
    if moved > bound:
        return f"what it reads in a row depends on another one ({moved:.2g} of the whole)"
    return f"a row is read otherwise than alone ({away:.2g} of the whole)" if away > LIKE_ALONE * bound else None


def _tried(model: Any, vocabulary: int) -> tuple[float, float]:
    """How much a row differs when another one with its beginning does, and from itself alone; relative."""
    import torch

    # Ids from the middle of the vocabulary: the first ones are often special tokens that no model has learnt.
    ids = [(vocabulary // 4 + 37 * place) % vocabulary for place in range(17)]
    # Of one length: on a GPU packs of other shapes are rounded otherwise, by a tenth of the whole in bfloat16.
    row, others = ids[:3] + ids[8:12], (ids[:3] + ids[3:8], ids[:3] + ids[12:17])

    def read(*rows: list[int]) -> Tensor:
        (one,) = pack(rows, PACK_TOKENS)
        path = one.paths[one.rows.index(0)]
        (found,) = logits_of(model, [one], [sorted(path)], None)
        return found.float()

    def differ(one: Tensor, other: Tensor) -> float:
        return float((one - other).norm() / other.norm())

    first, second = (read(row, other) for other in others)
    alone = model(input_ids=torch.tensor([row], device=model.device), use_cache=False).logits[0].float()
    return differ(second, first), max(differ(first, alone), differ(second, alone))

"""prompts -> new tokens: one batch through the model, a step at a time. It knows nothing of text.

A row that is done leaves the batch; `generate` of transformers would compute it on until the last is done. On 32
answers of 74 tokens on average and 96 at most (SmolLM2 135M, bfloat16, one core): 172 against 148 tokens/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.engines.sampling import noise, pick
from distill.protocols import Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def decode(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    requests: Sequence[Request],
    stops: set[int],
    vocabulary: int | None = None,
) -> list[list[int]]:
    """The new tokens of each prompt, the stop token included where it came before `max_new_tokens` were out.

    Args:
        vocabulary: ids that stand for a token; what a model's output layer has beyond them is padding.
    """
    import torch
    from transformers import DynamicCache

    ids, mask = _left_padded(prompts, model.device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    keys = [request.key for request in requests]
    answers: list[list[int]] = [[] for _ in prompts]
    alive = list(range(len(prompts)))
    cache = DynamicCache(config=model.config)
    while alive:
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        uniforms = [noise(keys[row], len(answers[row])) for row in alive]
        tokens = pick(output.logits[:, -1, :vocabulary].float(), [requests[row].sampling for row in alive], uniforms)
        for row, token in zip(alive, tokens.tolist(), strict=True):
            answers[row].append(token)
        going = [
            place
            for place, row in enumerate(alive)
            if answers[row][-1] not in stops and len(answers[row]) < requests[row].sampling.max_new_tokens
        ]
        if going and len(going) < len(alive):
            kept = torch.tensor(going, device=model.device)
            cache.batch_select_indices(kept)
            tokens, mask, positions = tokens[kept], mask[kept], positions[kept]
        alive = [alive[place] for place in going]
        ids = tokens[:, None]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions[:, -1:] + 1
    return answers


def _left_padded(prompts: Sequence[Sequence[int]], device: Any) -> tuple[Any, Any]:
    """Ids and attention mask, both (B, T), all prompts ending in the last column."""
    import torch

    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)

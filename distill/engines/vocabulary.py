"""Two tokenizers -> the proof that an id is the same token to both; two models -> output layers of one size.

Models of one family share a tokenizer and pad their output layers to different sizes (Qwen 2.5: 151,936 rows up to 3B and
152,064 above, for 151,665 tokens). What lies beyond the tokens is never written and may be cut off. Distributions over
different tokens cannot be compared token by token at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.engines.quiet import quiet
from distill.errors import TrainError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

NAMED = 3
"""Tokens that an error names."""


def size(tokenizer: Tokenizer) -> int:
    """Ids from 0 that may stand for a token."""
    return 1 + max(map(int, tokenizer.get_vocab().values()))


def check_same(student: Tokenizer, teacher: Tokenizer, ours: str, theirs: str) -> None:
    """Compare every token and its id.

    Args:
        ours: reference to the student, for errors.
        theirs: to the teacher.

    Raises:
        TrainError: they differ; says in what.
    """
    a, b = student.get_vocab(), teacher.get_vocab()
    if a == b:
        return
    differing = sorted((token for token in a.keys() | b.keys() if a.get(token) != b.get(token)), key=_first_id(a, b))
    named = "; ".join(f"{token!r} is {_said(a, token)} and {_said(b, token)}" for token in differing[:NAMED])
    raise TrainError(
        f"student and teacher have different tokens, so that their distributions cannot be compared token by token: "
        f"{len(a)} in {ours} and {len(b)} in {theirs}, {len(differing)} of them not the same. For the student and the "
        f"teacher {named}",
        where="train.objective",
        hint="let the teacher write answers (generate.methods: [{kind: answer, …}]) and train by `sft`, which works with any "
        "two models, or choose a teacher of the student's family; distillation across tokenizers (GOLD) is not offered",
    )


def align(student: Any, teacher: Any) -> None:
    """Cut the larger output layer to the size of the smaller, after `check_same`: what goes is padding."""
    bare = [model.get_base_model() if hasattr(model, "get_base_model") else model for model in (student, teacher)]
    sizes = [model.get_output_embeddings().weight.shape[0] for model in bare]
    for model, size in zip(bare, sizes, strict=True):
        if size > min(sizes):
            with quiet():
                model.resize_token_embeddings(min(sizes), mean_resizing=False)


def _said(vocabulary: dict[str, int], token: str) -> str:
    return str(vocabulary[token]) if token in vocabulary else "none"


def _first_id(a: dict[str, int], b: dict[str, int]) -> Any:
    return lambda token: (min(a.get(token, len(a) + len(b)), b.get(token, len(a) + len(b))), token)

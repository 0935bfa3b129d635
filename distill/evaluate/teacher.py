"""The teacher's next-token distributions on every item, stored once and read by the other arms.

    teacher.safetensors
      offsets   (n + 1,)       item i has the positions offsets[i] to offsets[i + 1]
      tokens    (positions,)   the answer's token ids, by which an arm proves that it scored the same positions
      best      (positions,)   the teacher's most likely token
      ids       (positions, k) its k most likely tokens
      logprobs  (positions, k) and their log-probabilities; what they leave of 1 is the tail
      metadata  `about`, as JSON: model (with its revision), template, tokenizer, k, items (their keys, in order)

Weights and logs of training are another matter: this file is read by evaluation only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distill.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.protocols import TokenScores

FILE = "teacher.safetensors"


@dataclass(frozen=True)
class Distribution:
    """The teacher on one answer of T tokens."""

    tokens: npt.NDArray[np.int32]
    """(T,)"""
    best: npt.NDArray[np.int32]
    """(T,)"""
    ids: npt.NDArray[np.int32]
    """(T, k)"""
    logprobs: npt.NDArray[np.float32]
    """(T, k) natural logarithms."""


@dataclass(frozen=True)
class Teacher:
    """All distributions, by item key, and what they were made with."""

    items: Mapping[str, Distribution]
    model: str
    template: str
    tokenizer: str


def distribution(scores: TokenScores) -> Distribution:
    """What is kept of a teacher's scores."""
    return Distribution(scores.tokens, scores.best, scores.top_ids, scores.top_logprobs)


def write(path: Path, teacher: Teacher) -> None:
    """Write the distributions of at least one item, in the order of their keys."""
    import numpy as np
    from safetensors.numpy import save_file

    keys = sorted(teacher.items)
    parts = [teacher.items[key] for key in keys]
    tensors = {
        "offsets": np.cumsum([0, *(len(part.tokens) for part in parts)], dtype=np.int64),
        "tokens": np.concatenate([part.tokens for part in parts]).astype(np.int32),
        "best": np.concatenate([part.best for part in parts]).astype(np.int32),
        "ids": np.concatenate([part.ids for part in parts]).astype(np.int32),
        "logprobs": np.concatenate([part.logprobs for part in parts]).astype(np.float32),
    }
    about = {
        "model": teacher.model,
        "template": teacher.template,
        "tokenizer": teacher.tokenizer,
        "k": parts[0].ids.shape[1],
        "items": keys,
    }
    # One entry: several would be written in an order that is another each time.
    save_file(tensors, path, {"about": json.dumps(about)})


def read(path: Path) -> Teacher:
    """The stored distributions, as views of five arrays.

    Raises:
        ArtifactError: a file that is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["about"])
            offsets, *arrays = (file.get_tensor(name) for name in ("offsets", "tokens", "best", "ids", "logprobs"))
        spans = zip(about["items"], offsets[:-1], offsets[1:], strict=True)
        items = {key: Distribution(*(array[start:end] for array in arrays)) for key, start, end in spans}
        return Teacher(items, about["model"], about["template"], about["tokenizer"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the teacher's distributions cannot be read: {error}",
            where=str(path),
            hint="remove the folder it lies in and run again",
        ) from error

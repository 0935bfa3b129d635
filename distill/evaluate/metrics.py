"""token scores -> the numbers of one item, each a value with the weight it has in a mean.

Numbers only: it knows nothing of models or files. What each metric means stands in `distill.suites.metrics`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from distill.errors import CompareError
from distill.suites.suite import Measure, Measures

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.evaluate.teacher import Distribution
    from distill.protocols import TokenScores

FLOOR = 1e-9
"""Least probability of a tail bucket: float32 cannot tell less from rounding, and log 0 would make the sum infinite."""


def likelihood(scores: TokenScores, reference: str) -> Measures:
    """Loss per token of the answer, its stop token included, and the same nats in bits per byte of the text.

    An empty answer has no bytes and so no bits per byte.
    """
    import numpy as np

    nats = -float(np.asarray(scores.logprobs, dtype=np.float64).sum())
    tokens, size = len(scores.tokens), len(reference.encode())
    found = {"loss": Measure(value=nats / tokens, weight=tokens)}
    if size:
        found["bits_per_byte"] = Measure(value=nats / math.log(2) / size, weight=size)
    return found


def against(scores: TokenScores, teacher: Distribution) -> Measures:
    """Agreement on the next token and KL(teacher || arm), means over the positions of one answer.

    Raises:
        CompareError: the two did not score the same tokens.
    """
    import numpy as np

    if not np.array_equal(scores.tokens, teacher.tokens):
        raise CompareError(
            f"the answer is {len(teacher.tokens)} tokens to the teacher, {len(scores.tokens)} others to this arm",
            where=f"item {scores.request}",
            hint="teacher and student must render a conversation alike: use one chat template for both",
        )
    tokens = len(scores.tokens)
    agreement = float((scores.best == teacher.best).mean())
    kl = float(divergence(teacher.logprobs, scores.top_logprobs).mean())
    return {"agreement": Measure(value=agreement, weight=tokens), "kl": Measure(value=kl, weight=tokens)}


def divergence(teacher: npt.NDArray[np.float32], arm: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(T, k) log-probabilities of the same ids under both -> (T,) KL in nats over k tokens and a bucket for all others.

    Merging tokens into a bucket never makes two distributions look more different (the log sum inequality): this is a
    lower bound of the KL over the whole vocabulary.
    """
    import numpy as np

    log_p, log_q = np.asarray(teacher, dtype=np.float64), np.asarray(arm, dtype=np.float64)
    p, q = np.exp(log_p), np.exp(log_q)
    tail_p, tail_q = np.maximum(1 - p.sum(-1), FLOOR), np.maximum(1 - q.sum(-1), FLOOR)
    found: npt.NDArray[np.float64] = (p * (log_p - log_q)).sum(-1) + tail_p * np.log(tail_p / tail_q)
    return found


def not_finite(measures: Measures) -> str | None:
    """The first metric that is no number, named with its value."""
    wrong = ((name, measure["value"]) for name, measure in measures.items() if not math.isfinite(measure["value"]))
    return next((f"{name} is {value}" for name, value in wrong), None)

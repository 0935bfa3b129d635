"""What is measured of an item, and which way is better. It knows nothing of how a number was come by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["lower", "higher"]
FROM_ZERO = frozenset({"share", "0-100"})
"""Units that count from a true zero."""


@dataclass(frozen=True)
class Metric:
    direction: Direction
    """Which way is better."""
    unit: str
    meaning: str
    """One line for the reader of the report."""
    right: bool = False
    """Of an item it is 1, right, or 0, wrong."""
    chosen: bool = False
    """Of an item it says whether that was right which the item's confidence is of."""

    @property
    def counts_from_zero(self) -> bool:
        """Whether 0 is nothing and more is better, so that a ratio of two means says something."""
        return self.direction == "higher" and self.unit in FROM_ZERO


METRICS: dict[str, Metric] = {
    "loss": Metric(
        "lower", "nats/token", "Negative log-likelihood of the reference answer, its stop token included, per token."
    ),
    "agreement": Metric(
        "higher", "share", "Share of the answer's positions where the most likely next token is the teacher's."
    ),
    "kl": Metric(
        "lower",
        "nats/token",
        "KL(teacher || arm) per token, over the teacher's likeliest tokens and one bucket for the rest: a lower bound.",
    ),
    "bits_per_byte": Metric(
        "lower", "bits/byte", "The same log-likelihood per byte of the answer: comparable between vocabularies."
    ),
    "chrf": Metric("higher", "0-100", "Character n-gram F-score (chrF2) of the greedy answer against the reference."),
    "rouge_l": Metric(
        "higher", "0-100", "ROUGE-L F1: the longest common subsequence of the words of answer and reference."
    ),
    "exact_match": Metric("higher", "share", "Share of answers that are the reference, sign for sign.", right=True),
    "normalised_match": Metric(
        "higher",
        "share",
        "Share of answers that are the reference but for case, articles, punctuation and spaces (as SQuAD compares).",
        right=True,
    ),
    "contained": Metric(
        "higher", "share", "Share of answers in which the reference stands, compared in the same way.", right=True
    ),
    "correct": Metric(
        "higher", "share", "Share of answers whose final number or expression equals the reference's.", right=True
    ),
    "accuracy": Metric(
        "higher",
        "share",
        "Share of items whose right option has the highest log-likelihood of all.",
        right=True,
        chosen=True,
    ),
    "accuracy_norm": Metric(
        "higher", "share", "The same by log-likelihood per byte, which does not favour short options.", right=True
    ),
    "brier": Metric(
        "lower",
        "0-2",
        "Squared distance of the options' chances (softmax of their log-likelihoods) from the truth, summed over options.",
    ),
    "followed": Metric(
        "higher",
        "share",
        "Share of prompts of which every instruction is followed, as a program checks it.",
        right=True,
    ),
    "followed_loose": Metric(
        "higher",
        "share",
        "The same where an answer may be read without its first or last line and without asterisks.",
        right=True,
    ),
    "instructions": Metric("higher", "share", "Share of single instructions that are followed."),
}
"""Of the suites here; a suite that measures something else says itself what it is (`Suite.metrics`)."""

"""an answer and a reference -> how much of their letters and words they share."""

from __future__ import annotations

from distill.suites.suite import Measure, Measures


def chrf(answer: str, reference: str) -> Measures:
    """chrF2 of an answer (Popović 2015, W15-3049): character 1- to 6-grams, recall twice as heavy as precision."""
    from sacrebleu import sentence_chrf

    return {"chrf": Measure(value=float(sentence_chrf(answer, [reference], word_order=0).score), weight=1)}

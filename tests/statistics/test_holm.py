"""Holm's adjusted p-values against a worked example and his own procedure."""

from __future__ import annotations

import random

import pytest

from distill.statistics.holm import holm


def test_a_worked_example() -> None:
    """The same numbers as statsmodels' multipletests(method="holm")."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": 0.2, "f": 0.6})
    assert found == pytest.approx({"a": 0.05, "b": 0.12, "c": 0.12, "d": 0.03, "e": 0.4, "f": 0.6})
    assert list(found) == list("abcdef") and holm({}) == {} and holm({"a": 0.2}) == {"a": 0.2}


def test_it_rejects_what_holms_steps_reject() -> None:
    draw = random.Random(1)
    for _ in range(200):
        ps = {str(index): draw.random() ** 3 for index in range(draw.randint(1, 8))}
        rejected = set()
        for rank, name in enumerate(sorted(ps, key=lambda name: ps[name])):
            if ps[name] > 0.05 / (len(ps) - rank):
                break
            rejected.add(name)
        assert {name for name, p in holm(ps).items() if p <= 0.05} == rejected

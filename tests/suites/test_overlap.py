"""Letters and words in common, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from distill.suites.overlap import chrf


def test_chrf_is_a_hundred_for_the_reference_and_nothing_for_nothing_shared() -> None:
    assert chrf("The cat sat.", "The cat sat.")["chrf"] == {"value": pytest.approx(100), "weight": 1}
    assert chrf("xyz", "The cat sat.")["chrf"]["value"] == 0
    assert chrf("", "The cat sat.")["chrf"]["value"] == 0


def test_chrf_is_that_of_its_definition() -> None:
    # "abcd" against "abce": 1-grams 3/4, 2-grams 2/3, 3-grams 1/2, 4-grams 0/1, precision and recall alike.
    assert chrf("abcd", "abce")["chrf"]["value"] == pytest.approx(100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4)

"""Letters and words in common, against numbers worked out by hand."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

from distill.suites.overlap import LONGEST, Answer, chrf, subsequence


def test_chrf_is_a_hundred_for_the_reference_and_nothing_for_nothing_shared() -> None:
    assert chrf("The cat sat.", "The cat sat.")["chrf"] == {"value": pytest.approx(100), "weight": 1}
    assert chrf("xyz", "The cat sat.")["chrf"]["value"] == 0
    assert chrf("", "The cat sat.")["chrf"]["value"] == 0


def test_chrf_is_that_of_its_definition() -> None:
    # "abcd" against "abce": 1-grams 3/4, 2-grams 2/3, 3-grams 1/2, 4-grams 0/1, precision and recall alike.
    assert chrf("abcd", "abce")["chrf"]["value"] == pytest.approx(100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4)


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        # Lin 2004, section 3: "police killed the gunman" against two answers, with beta 1: 3/4 and 2/4.
        ("police kill the gunman", "police killed the gunman", 2 / 4 + 1 / 4),
        ("the gunman kill police", "police killed the gunman", 2 / 4),
        ("the gunman police killed", "police killed the gunman", 2 / 4),
        # Precision 2/2, recall 2/4.
        ("The GUNMAN!", "police killed the gunman", 2 * 1 * 0.5 / 1.5),
        ("police", "gunman", 0),
        ("", "gunman", 0),
        ("?!", "...", 0),
        ("我爱你", "我也爱你", 6 / 7),
    ],
)
def test_rouge_l_of_known_texts(answer: str, reference: str, f1: float) -> None:
    assert Answer(answer).rouge_l(reference) == pytest.approx(100 * f1)


def table(a: Sequence[str], b: Sequence[str]) -> int:
    """The textbook's way."""
    row = [0] * (len(b) + 1)
    for one in a:
        last = 0
        for place, other in enumerate(b, 1):
            last, row[place] = row[place], last + 1 if one == other else max(row[place], row[place - 1])
    return row[-1]


def test_the_subsequence_is_the_longest() -> None:
    draw = random.Random(1)
    for _ in range(300):
        a, b = (draw.choices("abcde", k=draw.randrange(80)) for _ in range(2))
        assert subsequence(a, b) == table(a, b)


def test_texts_of_a_hundred_thousand_characters_take_no_time() -> None:
    draw = random.Random(2)
    a, b = (" ".join(draw.choices("abcdefgh", k=50_000)) for _ in range(2))
    start = time.process_time()
    found = Answer(a).rouge_l(b)
    chrf(a, b)
    assert time.process_time() - start < 5
    assert found == pytest.approx(Answer(a[: 2 * LONGEST]).rouge_l(b[: 2 * LONGEST]))

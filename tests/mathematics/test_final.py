"""What is read as the final answer of a worked solution."""

from __future__ import annotations

from fractions import Fraction

import pytest

from distill.mathematics.equal import same
from distill.mathematics.final import final
from tests.mathematics.forms import stated, wrong

SOLUTION = """A year has 12 months, and in each she puts 100 dollars aside: 12 * 100 = 1,200 dollars.
With the $34 that she had before, this makes $1,200 + $34 = $1,234."""


@pytest.mark.parametrize("name", list(stated(Fraction(1234))))
@pytest.mark.parametrize("value", [Fraction(1234), Fraction(7), Fraction(49, 4), Fraction(-30)])
def test_an_answer_is_read_however_it_is_stated(name: str, value: Fraction) -> None:
    text = stated(value)[name]
    answer = final(text if name == "alone" else f"{SOLUTION}\n\n{text}")
    assert answer is not None
    assert same(str(value), answer), answer


@pytest.mark.parametrize("name", list(stated(Fraction(1234))))
def test_a_wrong_answer_is_refused_though_the_right_one_is_in_the_text(name: str) -> None:
    for value in wrong(Fraction(1234), Fraction(18), SOLUTION):
        text = stated(value)[name]
        answer = final(text if name == "alone" else f"{SOLUTION}\n\n{text}")
        assert answer is not None
        assert not same("1234", answer), (value, answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So \boxed{3}. Or rather \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{x^{2} + \{1\}}", r"x^{2} + \{1\}"),
        (r"\boxed{12 and never closed. The answer is 13", "13"),
        ("The answer is 5. No, wait: the answer is 6.", "6"),
        ("They express the answer as a percentage: 7 / 20 = 35.\nSo in all 36.", "36"),
        ("The answer is 2 * (3 + 4) = 14 eggs, for 3 people.", "14"),
        ("**Answer:**\n\n\\[ x = 5 \\]", "x = 5"),
        (r"The answer is $\sqrt{2}$, about 1.41.", r"\sqrt{2}"),
        ("The answer is 5 1/2 hours.", r"5\frac{1}{2}"),
        ("He paid $5 for one and $12 for the other, so $17 = $5 + $12.", "5"),
        ("She earns 12 dollars\nfor the 3 hours. She is glad.", "3"),
        ("It is 3 - 5 = \u22122 degrees.", "-2"),
        ("The answer is 2 ** 3.", "2 ^ 3"),
        ("x^2 + 1", "x^2 + 1"),
        ("#### 2,125,000", "2125000"),
        ("It is 6.", "6"),
        ("The answer is 7am.", "7"),
        ("There is no number here.", None),
        ("The answer is yes.", None),
        ("", None),
        ("...", None),
    ],
)
def test_which_of_several_is_the_answer(text: str, answer: str | None) -> None:
    assert final(text) == answer


def test_a_long_text_is_read_in_time() -> None:
    """No expression for text may take quadratic time: a teacher that repeats itself writes thousands of characters."""
    for text in ("The answer is " * 3000, "$" * 20000, "\\boxed{" * 5000, "1 " * 20000, "1,111" * 8000, "**" * 20000):
        final(text)

"""One value in the many ways that models state it, and values near it that are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction


def stated(value: Fraction) -> dict[str, str]:
    """How worked solutions end, by name. `value` is a whole number or has few decimals."""
    whole = value.denominator == 1
    plain = str(value.numerator) if whole else f"{float(value):g}"
    sign, size = ("-", -value) if value < 0 else ("", value)
    grouped = sign + (f"{size.numerator:,}" if whole else f"{float(size):,.2f}")
    spaced, narrow, decimals = grouped.replace(",", " "), grouped.replace(",", "\u202f"), f"{float(value):.2f}"
    double = 2 * value
    over = f"{double.numerator}/{2 * double.denominator}"
    fraction = rf"{sign}\frac{{{abs(double.numerator)}}}{{{2 * double.denominator}}}"
    money = f"{sign}${grouped.lstrip('-')}"
    return {
        "the answer is": f"The answer is {plain}.",
        "money": f"The answer is {money}.",
        "money, bold, decimals": f"The answer is **{sign}${decimals.lstrip('-')}** per year.",
        "escaped money": rf"The answer is {sign}\${grouped.lstrip('-')}.",
        "answer colon": f"Answer: {plain}",
        "bold label": f"**Answer:** {grouped}",
        "bold with unit": f"**{grouped} dollars**",
        "final answer": f"Final answer: {decimals}",
        "heading": f"### Answer\n\n{grouped} apples",
        "boxed": rf"\boxed{{{plain}}}",
        "boxed in dollars": rf"Therefore, she has $\boxed{{{grouped.replace(',', '{,}')}}}$ left.",
        "boxed with unit": rf"\[ \boxed{{{plain} \text{{ miles per hour}}}} \]",
        "boxed money": rf"The total is \boxed{{{sign}\${grouped.lstrip('-')}}}.",
        "parentheses": rf"So the answer is \({plain}\) hours.",
        "dollars": f"The final answer is ${plain}$.",
        "display": f"The answer is:\n\n$$x = {plain}$$",
        "hashes": f"#### {grouped}",
        "equals": f"Total = {decimals}",
        "sum": f"{plain} + 0 = {plain}",
        "space": f"The answer is {spaced}.",
        "narrow space": f"The answer is {narrow} metres.",
        "slash": f"The answer is {over}.",
        "latex fraction": f"The answer is ${fraction}$.",
        "percent": f"The answer is {plain}%.",
        "with reason": f"The answer is {plain} because we added them all up in 3 steps.",
        "colon after is": f"Therefore, the correct answer to the question is: {plain} miles per hour.",
        "sentence": f"So in all they need {grouped} of them.",
        "alone": plain,
        "scientific": rf"The answer is ${float(value) / 10:.10g} \times 10^1$.",
        "word equation": f"Answer: number of eggs = {plain}",
    }


def wrong(value: Fraction, other: Fraction, text: str) -> Iterator[Fraction]:
    """Wrong values: off by one, negated, tenfold, digits swapped, another question's, another number of the text."""
    digits = str(abs(value.numerator))
    swapped = Fraction(int(digits[1] + digits[0] + digits[2:])) if len(digits) > 1 else value + 2
    numbers = [Fraction(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
    beside = next((number for number in reversed(numbers) if number != value), value + 3)
    candidates = (value + 1, value - 1, -value, 10 * value, value / 2, swapped, other, beside)
    yield from dict.fromkeys(one for one in candidates if one != value)

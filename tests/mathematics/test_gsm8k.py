"""The check of mathematics on real worked solutions: each right answer in thirty forms, and wrong ones in the same.

DISTILL_GSM8K=/path/to/gsm8k/train.jsonl pytest -m slow tests/mathematics/test_gsm8k.py -s
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from distill.mathematics.equal import UndecidedError, same
from distill.mathematics.final import final
from tests.mathematics.forms import stated, wrong

PATH = os.environ.get("DISTILL_GSM8K", "")
QUESTIONS = int(os.environ.get("DISTILL_GSM8K_QUESTIONS", "1000"))


def accepts(reference: str, text: str) -> bool:
    answer = final(text)
    try:
        return answer is not None and same(reference, answer)
    except UndecidedError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not PATH, reason="DISTILL_GSM8K does not name a file of GSM8K's training questions")
def test_right_answers_are_accepted_and_wrong_ones_refused() -> None:
    lines = Path(PATH).read_text(encoding="utf-8").splitlines()[:QUESTIONS]
    answers = [json.loads(line)["answer"] for line in lines]
    references = [final(answer) for answer in answers]
    values = [Fraction(str(reference)) for reference in references]
    assert all(
        answer.endswith(f"{value.numerator:,}") or "#### " in answer
        for answer, value in zip(answers, values, strict=True)
    )
    rejected: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    right = refused = 0
    examples = []
    for place, (answer, value) in enumerate(zip(answers, values, strict=True)):
        body = re.sub(r"<<.*?>>", "", answer.partition("####")[0]).strip()
        for name, ending in stated(value).items():
            right += 1
            text = ending if name == "alone" else f"{body}\n\n{ending}"
            if not accepts(str(references[place]), text):
                rejected[name] += 1
                examples.append((name, references[place], text[-160:], final(text)))
        for number, other in enumerate(wrong(value, values[place - 1], body)):
            forms = list(stated(other).items())
            for name, ending in forms[number % 3 :: 3]:
                refused += 1
                text = ending if name == "alone" else f"{body}\n\n{ending}"
                if accepts(str(references[place]), text):
                    accepted[name] += 1
                    examples.append((f"WRONG {name}", references[place], text[-160:], final(text)))
    print(f"\n{len(values)} questions; {right} right answers, {rejected.total()} refused: {dict(rejected)}")
    print(f"{refused} wrong answers, {accepted.total()} accepted: {dict(accepted)}")
    for example in examples[:40]:
        print("  ", example)
    assert accepted.total() == 0
    assert rejected.total() <= right / 1000

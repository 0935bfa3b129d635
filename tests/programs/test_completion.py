"""Answers as chat models give them to heads of functions -> whole programs."""

from __future__ import annotations

import pytest

from distill.programs.completion import completed

HEAD = 'import math\n\n\ndef area(r: float) -> float:\n    """The area of a circle."""\n'
BODY = "    return math.pi * r ** 2\n"


def runs(program: str | None) -> bool:
    """Whether it defines `area`, and that is right."""
    assert program is not None
    space: dict[str, object] = {}
    exec(program, space)
    area = space["area"]
    assert callable(area)
    return bool(area(2) == pytest.approx(12.566370614))


@pytest.mark.parametrize(
    "answer",
    [
        f"Here it is:\n```python\n{HEAD}{BODY}```\nIt multiplies.",
        "```python\ndef area(r):\n    return math.pi * r ** 2\n```",
        f"```\n{BODY}```",
        BODY,
        BODY.strip(),
        "if r < 0:\n        return 0.0\n    return math.pi * r ** 2",
        "Sure! This is the function:\n\ndef area(r):\n    return math.pi * r ** 2\n\nIt uses the formula of a circle.",
        f"{HEAD}{BODY}",
        f"```python\n{HEAD}{BODY}",
    ],
    ids=["whole", "without_imports", "body", "bare_body", "stripped", "stripped_lines", "words", "bare", "cut_fence"],
)
def test_the_program_is_found(answer: str) -> None:
    assert runs(completed(answer, HEAD))


@pytest.mark.parametrize("answer", ["", "I cannot do that.", "```bash\nls\n```", "```python\nprint('hello')\n```"])
def test_what_is_no_program_is_none(answer: str) -> None:
    assert completed(answer, "Write a function.") is None


def test_an_answer_without_an_end_takes_no_time() -> None:
    assert completed("def f(" * 20_000, HEAD) is None
    assert completed("def f():\n    return 1\n" + "and so on (\n" * 10_000, HEAD) is not None

"""What several solutions come to, beside a known answer and beside each other."""

from __future__ import annotations

from distill.mathematics.marks import Mark, against, alike

SOLUTIONS = ["The answer is 0.5.", "I do not know.", r"\boxed{\frac{1}{2}}", "The answer is 2.", r"\boxed{\frac{1}}"]


def test_beside_a_known_answer() -> None:
    marks = against("1/2", SOLUTIONS)
    assert [mark.group for mark in marks] == [0, None, 0, 1, None]
    assert [mark.answer for mark in marks[:4]] == ["0.5", None, r"\frac{1}{2}", "2"]
    assert str(marks[1]) == "(no final answer)" and str(marks[3]) == "2" and "(" in str(marks[4])


def test_beside_each_other() -> None:
    assert [mark.group for mark in alike([*SOLUTIONS, "The answer is 2.00", "#### 3"])] == [0, None, 0, 1, None, 1, 2]
    assert alike([]) == [] and alike([""]) == [Mark()]

"""Programs spoilt on purpose: each is a program, each is another one, always the same ones."""

from __future__ import annotations

import ast

import pytest

from distill.programs.mutants import mutants, trivial

LARGEST = '''
def largest(numbers, default=0):
    """The largest number."""
    best = default
    for number in numbers:
        if number > best and not number == 7:
            best = number
    return best
'''


def test_trivial_programs_return_one_thing() -> None:
    made = trivial(LARGEST, "largest")
    returned = {
        ast.unparse(node.value) for code in made for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Return)
    }  # type: ignore[arg-type]
    assert returned == {"None", "True", "False", "0", "1", "''", "[]", "numbers"}
    assert trivial("def f(): return 3", "f").count("def f():\n    return None") == 1
    methods = trivial("class A:\n    def __init__(self): self.x = 1\n    def get(self, key): return self.x", "A")
    assert any("return key" in code for code in methods)


def test_helpers_are_left_to_the_tests() -> None:
    made = trivial("def encode(x): return x + 1\n\ndef decode(x): return x - 1", "decode")
    assert all("return x + 1" in code and "return x - 1" not in code for code in made)


@pytest.mark.parametrize(
    ("code", "faulty"),
    [
        ("def f(a, b): return a + b", {"return a - b", "return None"}),
        ("def f(a): return a < 3", {"return a <= 3", "return a < 4", "return None"}),
        ("def f(a, b): return a and (not b)", {"return a or not b", "return a and +b", "return None"}),
        ("def f(a):\n    a += 1", {"a -= 1", "a += 2"}),
        ("def f(a): return a in (True,)", {"return a not in (True,)", "return a in (False,)", "return None"}),
        ("def f(a): return 1 if a else a", {"return 1 if not a else a", "return 2 if a else a", "return None"}),
        ("def f(a): return None", set()),
    ],
)
def test_one_fault_each(code: str, faulty: set[str]) -> None:
    made = mutants(code, 99)
    assert {each.splitlines()[-1].strip() for each in made} == faulty


def test_they_are_programs_all_different_and_the_same_every_time() -> None:
    made = mutants(LARGEST, 99)
    assert len(made) == len(set(made)) >= 7
    for code in made:
        ast.parse(code)
    few = mutants(LARGEST, 3)
    assert few == mutants(LARGEST, 3) and len(few) == 3 and set(few) < set(made)
    assert made.index(few[-1]) > len(made) // 2

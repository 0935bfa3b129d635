"""What is taken for the program, for its name and for its tests in what a model wrote."""

from __future__ import annotations

import pytest

from distill.programs import reading

ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ADD, ADD),
        (f"Sure!\n\n```python\n{ADD}```\nIt adds.", ADD),
        (f"```\n{ADD}```", ADD),
        (f"  ```py\n{ADD}  ```", ADD),
        (f"```bash\npip install x\n```\n```python\nadd(1, 2)\n```\n```python\n{ADD}```", ADD),
        (f"```python\n{ADD}\n```\n```python\ndef other(): pass\n```", f"{ADD}\n"),
        (f"```python\n{ADD}", ADD),
        ("I would add them.", None),
        ("```python\nprint(1)\n```", None),
        ("```python\ndef add(a, b)\n    return a\n```", None),
        ("```javascript\nfunction add(a, b) { return a + b }\n```", None),
        ("\0" + ADD, None),
        ("(" * 5000, None),
    ],
)
def test_the_first_block_that_defines_something(text: str, code: str | None) -> None:
    assert reading.program(text) == code


HEAD = 'import math\n\ndef root(x):\n    """The square root."""\n'


@pytest.mark.parametrize(
    "text",
    [
        "```python\ndef root(x):\n    return math.sqrt(x)\n```",
        "```python\n    return math.sqrt(x)\n```",
        "    return math.sqrt(x)\n",
    ],
)
def test_a_problem_that_is_code_gives_its_surroundings(text: str) -> None:
    code = reading.program(text, HEAD)
    assert code is not None
    space: dict[str, object] = {}
    exec(code, space)
    assert space["root"](9) == 3  # type: ignore[operator]


def test_a_problem_in_words_gives_none() -> None:
    assert reading.program(f"```python\n{ADD}```", "Add two numbers.") == ADD
    assert reading.program("```python\n    return 1\n```", "Add two numbers.") is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (ADD, "add"),
        ("def help_(x): return x\n\ndef add(a, b): return help_(a) + b\n", "add"),
        ("def add(a, b): return help_(a) + b\n\ndef help_(x): return x\n", "add"),
        ("def fact(n): return n * fact(n - 1)\n\ndef main(): print(fact(3))\n", "fact"),
        ("class Stack:\n    def push(self, x): pass\n", "Stack"),
        ("print(1)", None),
    ],
)
def test_the_name_a_program_is_used_by(code: str, name: str | None) -> None:
    assert reading.entry_point(code) == name


def test_a_signature_tells_how_and_not_what() -> None:
    code = "@cache\ndef add(a: int, b: int = 2, *, c) -> int:\n    '''Adds.'''\n    return a + b\n"
    assert reading.signature(code, "add") == "def add(a: int, b: int=2, *, c) -> int:"
    code = (
        "class Stack(list):\n    size = 3\n    def __init__(self, n):\n        self.n = n\n    def push(self, x): ...\n"
    )
    heads = ["class Stack(list):", "    def __init__(self, n):", "    def push(self, x):"]
    assert reading.signature(code, "Stack").splitlines() == heads


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("```python\nassert add(1, 2) == 3\n```", "assert add(1, 2) == 3"),
        ("assert add(1, 2) == 3", "assert add(1, 2) == 3"),
        (f"```python\n{ADD}\nassert add(1, 2) == 3\n```", "assert add(1, 2) == 3"),
        ("```python\nfrom solution import add\nassert add(1, 2) == 3\n```", "assert add(1, 2) == 3"),
        ("```python\nadd = lambda a, b: a + b\nassert add(1, 2) == 3\n```", "assert add(1, 2) == 3"),
        ("```python\nimport math\nassert add(1, 2) == math.pi\n```", "import math\nassert add(1, 2) == math.pi"),
        ("```python\nassert add(1, 2) == 3\nassert add(1,\n```", "assert add(1, 2) == 3"),
        ("1. assert it\nassert add(1, 2) == 3\nHope this helps", "assert add(1, 2) == 3"),
        ("```python\ndef test():\n    assert add(1, 2) == 3\n```", "def test():\n    assert add(1, 2) == 3"),
        ("```python\nprint(add(1, 2))\n```", None),
        (f"```python\n{ADD}```", None),
        ("There is nothing to test.", None),
    ],
)
def test_statements_that_assert_something(text: str, tests: str | None) -> None:
    assert reading.tests(text, frozenset({"add"})) == tests


def test_what_is_tested_is_named_by_the_tests() -> None:
    wrong, right = "def total_of_none(x):\n    return 0", "def helper():\n    pass\n\ndef total(x):\n    return sum(x)"
    assert reading.tested("import math\nassert math.floor(total([1])) == 1", [wrong, right]) == "total"
    assert reading.tested("assert other(1)", [wrong, right]) is None
    assert reading.tested("assert (", [right]) is None

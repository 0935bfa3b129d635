"""Wrong solutions that try to pass: known tricks, and what generated code does by accident."""

from __future__ import annotations

import pytest

from distill.sandbox.outcome import Limits
from distill.sandbox.run import check

LIMITS = Limits(seconds=5)
ASSERT = "assert add(1, 2) == 3"
UNITTEST = "import unittest\nclass TestAdd(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)"
WRONG = "def add(a, b): return 0\n"
CHEATS = {
    "exit": "import sys; sys.exit(0)",
    "exit at once": "import os; os._exit(0)",
    "exit when called": "def add(a, b): raise SystemExit(0)",
    "exit at once when called": "import os\ndef add(a, b): os._exit(0)",
    "exit from a thread": WRONG + "import os, threading; threading.Timer(0.01, os._exit, [0]).start()",
    "exit at the end": WRONG + "import atexit, os; atexit.register(os._exit, 0)",
    "replaced by another program": "import os; os.execv('/bin/true', ['true'])",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "prints": WRONG + "print('passed', 'OK', 'All tests passed')",
    "answers on all descriptors": WRONG
    + "import os\nfor n in range(64):\n try: os.write(n, b'+passed')\n except OSError: pass",
    "hook": WRONG + "import sys, os; sys.excepthook = lambda *_: os._exit(0)",
    "generator that never ends": "def add(a, b):\n    while True: yield",
    "function of a builtin": WRONG + "import builtins; builtins.AssertionError = ValueError",
    "exec": WRONG + "import builtins; builtins.exec = lambda *a: None",
    "compile": WRONG + "import builtins; builtins.compile = lambda *a, **k: 'pass'",
    "exec and its guard": WRONG
    + "import builtins; builtins.exec = lambda *a: None; builtins.callable = lambda x: False",
    "isinstance": WRONG + "import builtins; builtins.isinstance = lambda *a: True",
    "base exception": WRONG + "import builtins; builtins.BaseException = KeyError",
    "unittest.TestCase.assertEqual": WRONG + "import unittest; unittest.TestCase.assertEqual = lambda *a, **k: None",
    "unittest.TestCase.run": WRONG + "import unittest; unittest.TestCase.run = lambda *a, **k: None",
    "unittest.TestCase": WRONG + "import unittest; unittest.TestCase = object",
    "equals everything": "class A:\n    def __eq__(self, other): return True\ndef add(a, b): return A()",
    "equals everything, hidden": (
        "def add(a, b):\n    class A(int):\n        def __eq__(self, other): return True\n        __hash__ = None\n    return A(5)"
    ),
    "jumps over the tests": (
        WRONG + "import sys\ndef jump(frame, event, arg):\n"
        " if frame.f_code.co_filename == 'tests.py' and event == 'line':\n"
        "  frame.f_lineno = max(n for *_, n in frame.f_code.co_lines() if n); frame.f_trace = None\n"
        " return jump\nsys.settrace(jump)"
    ),
    "reads the proof with our own reader": (
        WRONG + "import os\ndef spy(stream, size, read=os.read, write=os.write):\n data = read(stream, size)\n"
        " if b'add(1' in data:\n  token = read(stream, 99)\n  for n in range(64):\n"
        "   try: write(n, token)\n   except OSError: pass\n  os._exit(0)\n return data\nos.read = spy"
    ),
    "closes all descriptors": WRONG + "import os; os.closerange(0, 256)",
    "fake module": "import sys, types\nm = sys.modules['unittest'] = types.ModuleType('unittest')\nclass TestCase: pass\n"
    "m.TestCase = TestCase\n" + WRONG,
}


@pytest.mark.parametrize("tests", [ASSERT + "\npass", UNITTEST], ids=["assert", "unittest"])
@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass(name: str, tests: str) -> None:
    outcome = check(CHEATS[name], tests, LIMITS)
    assert outcome.status in ("failed", "crashed"), outcome
    assert outcome.detail


def test_the_reason_names_what_was_replaced() -> None:
    outcome = check(CHEATS["unittest.TestCase.assertEqual"], UNITTEST, LIMITS)
    assert "the solution replaced unittest.TestCase.assertEqual" in outcome.detail
    assert "A of the solution equals everything" in check(CHEATS["equals everything"], ASSERT, LIMITS).detail
    assert "ended before its tests did" in check(CHEATS["exit at once"], ASSERT, LIMITS).detail


@pytest.mark.parametrize(
    "solution",
    [
        "class A:\n    def __init__(self, x): self.x = x\n    def __eq__(self, other): return self.x == other.x\n",
        "class A:\n    def __eq__(self, other): return NotImplemented\n",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\n",
        "import enum\nclass A(enum.Enum):\n    X = 1\n    def __eq__(self, other): return self is other\n",
        "import sys; sys.setrecursionlimit(5000)\n",
        "import math, unittest, random\nrandom.seed(1)\nsum = lambda *xs: math.fsum(xs)\n",
    ],
)
def test_an_honest_solution_is_not_called_a_cheat(solution: str) -> None:
    honest = solution + "def add(a, b): return a + b\n"
    tests = "import unittest, math, random, sys\n" + ASSERT
    assert check(honest, tests, LIMITS).status == "passed"


def test_tests_may_replace_what_they_like() -> None:
    tests = (
        "import builtins\nfrom unittest import mock\nbuiltins.input = lambda *a: '3'\nassert int(input()) == add(1, 2)"
    )
    assert check("def add(a, b): return a + b", tests, LIMITS).status == "passed"

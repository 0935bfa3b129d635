"""Verdicts: what passes, what fails and why, and what cannot be run at all."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from distill.errors import SandboxError
from distill.sandbox.outcome import Limits
from distill.sandbox.run import check, require, run

LIMITS = Limits()
ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("print('hello')", "passed"),
        ("", "passed"),
        ("import sys; sys.exit()", "passed"),
        ("import os; os._exit(0)", "passed"),
        ("if __name__ == '__main__': raise SystemExit(3)", "failed"),
        ("1 / 0", "failed"),
        ("def", "failed"),
        ("x = '\0'", "failed"),
        ("'\ud800'", "failed"),
        ("((" * 5000, "failed"),
        ("input()", "failed"),
        ("import os; os.abort()", "crashed"),
        ("import os; os.kill(os.getpid(), 15)", "crashed"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import asyncio\nasync def f(): await asyncio.sleep(0.01)\nasyncio.run(f())", "passed"),
        ("import dataclasses, __main__\n@dataclasses.dataclass\nclass A:\n x: 'int'\nassert __main__.A(1).x", "passed"),
        ("import pickle\nclass A: pass\npickle.loads(pickle.dumps(A()))", "passed"),
        ("import sqlite3; d = sqlite3.connect('d'); d.execute('create table t (x)'); d.commit()", "passed"),
        ("import numpy; assert numpy.linalg.inv(numpy.eye(3)).sum() == 3", "passed"),
        ("import signal, time\nsignal.alarm(100); signal.setitimer(signal.ITIMER_REAL, 9)", "passed"),
        ("import sys; assert sys.argv == ['program.py'] and not [m for m in sys.modules if 'distill' in m]", "passed"),
        ("import zoneinfo, time; assert time.tzname[0] == 'UTC'", "passed"),
        ("# -*- coding: latin-1 -*-\nassert len('é') == 1", "passed"),
        ("from __future__ import annotations\nx: y = 1", "passed"),
        ("def f(x: y): pass", "failed"),
    ],
)
def test_programs(code: str, status: str) -> None:
    outcome = run(code, LIMITS)
    assert outcome.status == status, outcome.detail
    assert bool(outcome.detail) == (status != "passed")
    assert outcome.seconds > 0


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        ("assert add(1, 2) == 3", "passed"),
        ("assert add(1, 2) == 4", "failed"),
        ("from solution import add as plus\nimport solution\nassert plus(1, 2) == solution.add(1, 2)", "passed"),
        ("def test_add():\n    assert add(1, 2) == 4", "failed"),
        ("def test_add():\n    assert add(1, 2) == 3", "passed"),
        ("class TestAdd:\n    def test_it(self):\n        assert add(1, 2) == 4", "failed"),
        (
            "import unittest\nclass A(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 4)",
            "failed",
        ),
        (
            "import unittest\nclass A(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(add(1, 2), 3)",
            "passed",
        ),
        ("async def test_add():\n    assert add(1, 2) == 4", "failed"),
        ("async def test_add():\n    assert add(1, 2) == 3", "passed"),
        ("def test_add(fixture):\n    assert add(1, 2) == 3", "failed"),
        ("import unittest\nassert add(1, 2) == 3\nif __name__ == '__main__': unittest.main()", "passed"),
        ("add = None\nassert add(1, 2) == 3", "failed"),
        ("import nonsense", "failed"),
        ("raise SystemExit", "failed"),
    ],
)
def test_solutions(tests: str, status: str) -> None:
    outcome = check(ADD, tests, LIMITS)
    assert outcome.status == status, outcome.detail


def test_a_solution_is_no_main_program() -> None:
    assert check(ADD + "if __name__ == '__main__': add(*input())", "assert add(1, 2) == 3", LIMITS).status == "passed"


def test_threads_that_a_solution_leaves_do_not_matter() -> None:
    start = "import threading\ndef run():\n    while True: pass\nthreading.Thread(target=run).start()"
    assert check(ADD + start, "assert add(1, 2) == 3", LIMITS).status == "passed"


def test_the_detail_shows_the_line_and_no_place_of_this_machine() -> None:
    detail = check(ADD, "import json\nassert add(1, 2) == 4, 'not four'", LIMITS).detail
    assert "assert add(1, 2) == 4" in detail
    assert detail.endswith("AssertionError: not four")
    detail = run("import json, os; print(os.getcwd()); json.loads('{')", LIMITS).detail
    assert 'File "json/decoder.py"' in detail
    detail = run("import os; raise ValueError(os.getcwd(), '\\x1b[31m\\x00')", LIMITS).detail
    assert detail.endswith("ValueError: ('.', '\\x1b[31m\\x00')")


def test_the_detail_is_bounded_and_printable() -> None:
    detail = run("import sys; sys.stderr.write('\\x1b[31m' + 'x' * 10**6); sys.exit(1)", LIMITS).detail
    assert len(detail) <= 2000
    assert detail.isprintable()


def test_the_same_run_has_the_same_verdict_every_time() -> None:
    code = "assert list({'a', 'b', 'c', 'd', 'e'}) == sorted('abcde'), hash('a')"
    assert len({run(code, LIMITS).detail for _ in range(4)}) == 1


def test_it_can_be_called_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: check(ADD, f"assert add(1, 2) == {n % 2 + 2}", LIMITS).status, range(40)))
    assert found == ["failed", "passed"] * 20


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(SandboxError, match="linux riscv64"):
        check(ADD, "", LIMITS)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="cannot be confined on darwin"):
        require()


WITHOUT = """
import errno, os, platform
from distill.sandbox import kernel, seccomp, syscalls
from distill.sandbox.run import Limits, check
names = {names}
allowed = [seccomp._load(4), seccomp._load(0)]
for number in names:
    allowed += [seccomp._jump(number, 0, 1), seccomp._return(0x50000 | {error})]
kernel.prctl("set_no_new_privileges", 1)
seccomp.install(b"".join([*allowed, seccomp._return(seccomp.ALLOW)]))
try:
    check("print('unconfined')", "", Limits())
except Exception as problem:
    print(type(problem).__name__, problem)
"""
"""A process whose kernel lacks some calls."""


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ((444,), "errno.ENOSYS", "no Landlock: landlock_create_ruleset: Function not implemented"),
        ((444,), "errno.EOPNOTSUPP", "no Landlock: landlock_create_ruleset: Operation not supported"),
        ((446,), "errno.EPERM", "landlock_restrict_self: Operation not permitted"),
        (({"x86_64": 157, "aarch64": 167}[platform.machine()],), "errno.EINVAL", "set_death_signal: Invalid argument"),
    ],
)
def test_a_missing_protection_is_an_error_and_runs_nothing(names: tuple[int, ...], error: str, words: str) -> None:
    code = WITHOUT.format(names=names, error=error)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("SandboxError sandbox: ")
    assert words in done.stdout


def test_a_kernel_without_filters_is_refused() -> None:
    """prctl works, but for the filter."""
    code = """
import errno, struct
from distill.sandbox import kernel, seccomp
from distill.sandbox.run import Limits, run
number = {"x86_64": 157, "aarch64": 167}[__import__("platform").machine()]
kernel.prctl("set_no_new_privileges", 1)
seccomp.install(b"".join([
    seccomp._load(0), seccomp._jump(number, 0, 3),
    seccomp._load(16), seccomp._jump(22, 0, 1), seccomp._return(0x50000 | errno.EINVAL), seccomp._return(seccomp.ALLOW)]))
try:
    run("print('unconfined')", Limits())
except Exception as problem:
    print(type(problem).__name__, problem)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("SandboxError sandbox: "), done.stdout
    assert "set_seccomp: Invalid argument" in done.stdout


def test_limits_that_the_machine_does_not_grant_are_an_error() -> None:
    code = "from distill.sandbox.run import *; run('print()', Limits(memory_mb=4096))"
    shell = ["sh", "-c", 'ulimit -v 2000000; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert "SandboxError" in done.stderr
    assert "maximum limit" in done.stderr


def test_a_program_takes_no_longer_for_being_long() -> None:
    """Far more than a pipe holds."""
    started = time.process_time()
    assert run("x = 1\n" * 100_000, LIMITS).status == "passed"
    assert time.process_time() - started < 5

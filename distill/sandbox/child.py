"""The confined process: takes its order, gives up what it does not need, and only then reads the code and runs it.

It starts once for every check, so it imports little. What it says goes over a line of its own: `CONFINED` before any code is read,
then `MEMORY` or the token. The token stands in the stream behind the tests and is read when they have run: no exit status and no
output of the code is a success, and there is nothing in memory that it could find beforehand.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys
from os import _exit, read, write  # bound here, so that code which replaces os.write replaces nothing of ours

from distill.sandbox import kernel, landlock, seccomp, tamper
from distill.sandbox.cases import run_cases

TYPE_CHECKING = False  # `typing` would take a quarter of the start
if TYPE_CHECKING:
    from types import ModuleType
    from typing import NoReturn

    from distill.sandbox.order import Order

CONFINED, MEMORY = b"+", b"memory"
OPEN_FILES = 64
STACK = 8 << 20
DEVICES = {"/dev/null": landlock.READ_FILE | landlock.WRITE_FILE, "/dev/zero": landlock.READ_FILE}
RANDOM = dict.fromkeys(("/dev/urandom", "/dev/random"), landlock.READ_FILE)


def main() -> None:
    take(1, 1)  # until somebody watches
    order: Order = marshal.loads(take(0, int.from_bytes(take(0, 4), "big")))
    stream, line = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    try:
        confine(order)
    except (OSError, ValueError) as problem:
        write(line, str(problem).encode())
        _exit(1)
    write(line, CONFINED)
    hide(order["packages"])
    (program if order["kind"] == "program" else check)(order, stream, line)


def confine(order: Order) -> None:
    """Give up, for good, what generated code must not have. An OSError or ValueError where the machine does not let us."""
    kernel.prctl("set_death_signal", 9)
    if os.getppid() != order["parent"]:
        _exit(1)  # the parent died before it could take us with it
    limits = {
        resource.RLIMIT_AS: (order["memory"],) * 2,
        resource.RLIMIT_CPU: (order["seconds"],) * 2,
        resource.RLIMIT_FSIZE: (order["written"],) * 2,
        resource.RLIMIT_NOFILE: (OPEN_FILES,) * 2,
        resource.RLIMIT_STACK: (STACK,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    for which, values in limits.items():
        resource.setrlimit(which, values)
    kernel.prctl("set_no_new_privileges", 1)
    kernel.drop_capabilities()
    rules = {**dict.fromkeys(order["readable"], landlock.READ), **DEVICES, **RANDOM, order["folder"]: landlock.OWN}
    landlock.restrict(rules, order["abi"])
    seccomp.install(seccomp.program(order["machine"], os.getpid()))


def program(order: Order, stream: int, line: int) -> None:
    """Run a program as `python program.py` would: its exit status is the answer."""
    text = take(stream, order["sizes"][0])
    try:
        run("__main__", "program.py", text)
    except SystemExit:
        raise
    except BaseException as problem:
        fail(problem, line, {"program.py": text})


def check(order: Order, stream: int, line: int) -> None:
    """Run a solution, then its tests, and prove that they ran to their end."""
    files: dict[str, bytes] = {}
    try:
        judges = tamper.remember(order["judges"])
        solution = run("solution", "solution.py", files.setdefault("solution.py", take(stream, order["sizes"][0])))
        tamper.refuse_changes(judges)
        text = files.setdefault("tests.py", take(stream, order["sizes"][1]))
        names = {name: value for name, value in vars(solution).items() if not name.startswith("__")}
        run_cases(run("tests", "tests.py", text, names), names)
        tamper.refuse_equal_to_all("solution")
    except BaseException as problem:
        fail(problem, line, files)
    write(line, take(stream, order["sizes"][2]))
    _exit(0)  # without waiting for threads that the code left behind


def run(name: str, file: str, text: bytes, names: dict[str, object] | None = None) -> ModuleType:
    """Text run as a module of this name, which others can import."""
    module = type(sys)(name)
    sys.modules[name] = module
    vars(module).update(names or {})
    exec(compile(text.decode("utf-8", "surrogatepass"), file, "exec", dont_inherit=True), vars(module))
    return module


def fail(problem: BaseException, line: int, files: dict[str, bytes]) -> NoReturn:
    """Say what went wrong on standard error, from the first line that is not ours, and end."""
    try:
        if isinstance(problem, MemoryError):
            write(line, MEMORY)
        import linecache
        import traceback

        for file, text in files.items():
            lines = text.decode("utf-8", "replace").splitlines(keepends=True)
            linecache.cache[file] = (len(text), None, lines, file)
        where = problem.__traceback__
        while where is not None and where.tb_frame.f_code.co_filename not in files:
            where = where.tb_next
        write(2, "".join(traceback.format_exception(type(problem), problem, where)[-20:]).encode("utf-8", "replace"))
    finally:
        _exit(1)


def hide(packages: list[str]) -> None:
    """An interpreter like any other: no modules, path or arguments of ours."""
    sys.path[:] = [*sys.path[1:], *packages]
    sys.argv[:] = ["program.py"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "distill"]:
        del sys.modules[name]


def take(stream: int, size: int) -> bytes:
    """Exactly so many bytes."""
    taken = b""
    while len(taken) < size:
        piece = read(stream, size - len(taken))
        if not piece:
            raise EOFError("the order ends early")
        taken += piece
    return taken

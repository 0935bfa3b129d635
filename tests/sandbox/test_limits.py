"""Code that goes on, grows, fills the disk or outlives: it ends, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from distill.sandbox import run as sandbox
from distill.sandbox import watch
from distill.sandbox.folder import overfull, remove
from distill.sandbox.outcome import Limits
from distill.sandbox.run import check, run

SMALL = Limits(seconds=1, memory_mb=256, written_mb=4)
BRIEF = Limits(seconds=0.4, memory_mb=256, written_mb=4)
"""For what always takes as long as it may."""
UNENDING = {
    "loop": "while True: pass",
    "deaf loop": "import signal\nfor n in (signal.SIGXCPU, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "loop in C": "sum(range(10**12))",
    "stubborn": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "threads": "import threading\ndef f():\n while True: pass\nfor _ in range(4): threading.Thread(target=f).start()",
    "regular expression": "import re; re.match(r'(a|a)*$', 'a' * 60 + 'b')",
}
WAITING = {
    "sleep": "import time; time.sleep(1000)",
    "thread": "import threading; threading.Thread(target=threading.Event().wait).start()",
    "lock": "import threading; l = threading.Lock(); l.acquire(); l.acquire()",
    "pipe": "import os; os.read(os.pipe()[0], 1)",
    "full pipe": "import os\nw = os.pipe()[1]\nwhile True: os.write(w, bytes(9999))",
    "pause": "import signal\nwhile True: signal.pause()",
    "all descriptors closed": "import os, time; os.closerange(0, 64); time.sleep(1000)",
}
GREEDY = {
    "list": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "huge": "x = [0] * 10**10",
    "text": "x = 'x' * 10**10",
    "number": "x = 1 << 10**11",
    "map": "import mmap\nx = [mmap.mmap(-1, 1 << 24) for _ in range(1000)]",
}
FILLING = {
    "output": "while True: print('x' * 99999)",
    "errors": "import sys\nwhile True: sys.stderr.write('x' * 99999)",
    "one file": "open('f', 'wb').write(bytes(9 << 20))",
    "many files": "for n in range(9): open(f'f{n}', 'wb').write(bytes(1 << 20))",
    "one after the other": "import os\nfor n in range(9):\n open('f', 'wb').write(bytes(1 << 20))\n os.remove('f')",
    "removed and open": "import os\nx = []\n"
    "for n in range(9): x.append(open('f', 'wb')); os.remove('f'); x[-1].write(bytes(1 << 20))",
    "sendfile": "import os\nopen('a', 'wb').write(bytes(1 << 20)); a = os.open('a', 0)\n"
    "for n in range(9): os.sendfile(os.open(f'b{n}', 65), a, 0, 1 << 20)",
    "copies": "import os\nopen('a', 'wb').write(bytes(1 << 20)); a = os.open('a', 0)\n"
    "for n in range(9): os.copy_file_range(a, os.open(f'b{n}', 65), 1 << 20, 0)",
    "written in parts": "import os\nf = os.open('f', 65)\nfor n in range(9): os.pwritev(f, [bytes(1 << 20)], 0)",
    "empty files": "for n in range(1500): open(f'f{n}', 'w').close()",
    "empty folders": "import os\nfor n in range(1500): os.mkdir(f'd{n}')",
    "links": "import os\nfor n in range(1500): os.symlink('/', f'l{n}')",
    "nested": "import os\nfor n in range(4000): os.mkdir('d'); os.chdir('d')",
    "long names": "import os\nfor n in range(40): os.mkdir('d' * 250); os.chdir('d' * 250)",
    "locked folder": "import os; os.mkdir('d', 0o300); os.mkdir('d/e', 0)"
    + "; [os.mkdir(f'd/e{n}') for n in range(1500)]",
}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(psutil.Process().children())  # servers of other tests
    yield
    left = list(tmp_path.iterdir())
    subprocess.run(
        ["rm", "-rf", "--", *left], check=True
    )  # pytest could not, and would stumble over it in its next runs
    assert left == []
    assert set(psutil.Process().children()) <= before


@pytest.mark.parametrize("name", UNENDING)
def test_processor_time_is_bounded(name: str) -> None:
    outcome = run(UNENDING[name], BRIEF)
    assert outcome.status == "timeout"
    assert outcome.seconds >= 0.4
    assert outcome.detail == "used 0.4 s of processor time"


def test_code_that_took_too_long_is_late_even_when_it_ended_before_anyone_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "TICK", 60_000)
    outcome = run("import time\nwhile time.process_time() < 0.4: pass", Limits(seconds=0.3))
    assert outcome.status == "timeout"


@pytest.mark.timeout(100)
@pytest.mark.parametrize("name", WAITING)
def test_waiting_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "PATIENCE", 1)
    outcome = run(WAITING[name], BRIEF)
    assert (outcome.status, outcome.detail) == ("timeout", "waited for too long")


def test_a_busy_machine_changes_no_verdict() -> None:
    """Code that gets a fraction of a processor has all of its processor time: many at once on few."""
    from concurrent.futures import ThreadPoolExecutor

    code = "import time\nwhile time.process_time() < 0.25: pass\nassert {}"
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: run(code.format(n % 3 > 0), Limits(seconds=1)), range(24)))
    assert [each.status == "passed" for each in outcomes] == [n % 3 > 0 for n in range(24)]


@pytest.mark.parametrize("name", GREEDY)
def test_memory_is_bounded(name: str) -> None:
    assert run(GREEDY[name], SMALL).status == "memory" if name != "map" else run(GREEDY[name], SMALL).status == "failed"


def test_the_least_memory_is_enough_to_start() -> None:
    assert run("x = bytearray(8 << 20)", Limits(memory_mb=64)).status == "passed"
    assert check("def f(): return 1", "assert f() == 1", Limits(memory_mb=64)).status == "passed"


def test_code_that_survives_a_lack_of_memory_goes_on() -> None:
    assert run("try: x = [0] * 10**10\nexcept MemoryError: pass", SMALL).status == "passed"


def test_many_threads_fit() -> None:
    code = (
        "from concurrent.futures import *\nwith ThreadPoolExecutor(20) as p: assert sum(p.map(abs, range(99))) == 4851"
    )
    assert run(code, Limits()).status == "passed"


@pytest.mark.parametrize("name", FILLING)
def test_writing_is_bounded(name: str) -> None:
    outcome = run(FILLING[name], SMALL)
    assert outcome.status == "output", outcome.detail
    assert "wrote more than 4 MiB" in outcome.detail


def test_no_file_is_larger_than_all_that_may_be_written() -> None:
    """Not even for the moment before somebody looks."""
    code = "import os\ntry: open('f', 'wb').write(bytes(9 << 20))\nexcept OSError: pass\nassert os.stat('f').st_size > 4 << 20"
    assert "AssertionError" in run(code, SMALL).detail


def test_a_little_is_written() -> None:
    code = """
import os, pathlib, shutil, tempfile
with tempfile.TemporaryDirectory() as folder:
    first = pathlib.Path(folder, "first")
    first.write_text("x")
    first.chmod(0o600)
    shutil.copy2(first, "second")
    os.makedirs("x/y")
    os.rename(first, "x/y/first")
pathlib.Path("new").touch()
pathlib.Path("new").touch()
shutil.copytree("x", "z")
shutil.rmtree("x")
assert sorted(os.listdir()) == ["new", "second", "z"]
print("x" * 1000000)
"""
    outcome = run(code, SMALL)
    assert outcome.status == "passed", outcome.detail


def test_what_is_left_is_removed(tmp_path: Path) -> None:
    """Thousands of folders in each other are too many for shutil.rmtree."""
    folder = tmp_path / "full"
    folder.mkdir()
    deep = "import os\nfor n in range(1200): open('f', 'w').close(); os.symlink('/', 'l'); os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", deep], cwd=folder, check=True)
    subprocess.run(
        [sys.executable, "-c", "import os; os.mkdir('x'); os.mkdir('x/y', 0); os.chmod('x', 0)"], cwd=folder, check=True
    )
    assert overfull(folder)
    remove(folder)
    assert not folder.exists()


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(1000)"])
def test_code_does_not_outlive_us(code: str, elsewhere: dict[str, str]) -> None:
    """A killed process takes the code with it that it was running."""
    helper = f"from distill.sandbox.run import *; run({code!r}, Limits(seconds=1000))"
    with subprocess.Popen([sys.executable, "-c", helper], env=elsewhere) as process:
        child = only_child(process)
        process.kill()
    wait_for_the_end(child)


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that will be killed and leaves its folder."""
    return os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("elsewhere"))}


def test_code_does_not_go_on_while_we_are_stopped(elsewhere: dict[str, str]) -> None:
    helper = "from distill.sandbox.run import *; run('while True: pass', Limits(seconds=0.5))"
    with subprocess.Popen([sys.executable, "-c", helper], env=elsewhere) as process:
        child = only_child(process)
        process.send_signal(signal.SIGSTOP)
        wait_for_the_end(child)
        process.kill()


def only_child(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The confined process, once it runs code."""
    while not (children := psutil.Process(process.pid).children()) or "Seccomp:\t2" not in status(children[0].pid):
        assert process.poll() is None
        time.sleep(0.01)
    return children[0]


def status(process: int) -> str:
    return Path(f"/proc/{process}/status").read_text()


def wait_for_the_end(process: psutil.Process) -> None:
    deadline = time.monotonic() + 30
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail("it runs on")
        time.sleep(0.05)

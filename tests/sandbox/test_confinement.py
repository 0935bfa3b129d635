"""Attacks: each of them works in an ordinary interpreter, and none in the sandbox."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from distill.sandbox import interpreter, landlock
from distill.sandbox.outcome import Limits
from distill.sandbox.run import run
from tests.sandbox import attacks

LIMITS = Limits(seconds=5)
REFUSALS = (
    "PermissionError",
    "AssertionError: refused",
    "cross-device",
    "Operation not",
    "not allowed",
    "Too many open",
)
"""What refused attacks say: EPERM, EACCES, EXDEV, ENOTSUP, EMFILE."""
GROUPS = ("WRITING", "READING", "NETWORK", "PROCESSES", "SIGNALS", "LIMITS")
BLOCKED = {f"{group.lower()}: {name}": code for group in GROUPS for name, code in getattr(attacks, group).items()}
VISIBLE = ("tcp", "udp", "unix", "kill", "pidfd", "owner of a pipe", "mode", "times", "owner")
"""Of these it is seen in the target that they worked."""


@dataclass
class Target:
    """What the attacks aim at, and what is to be seen of it."""

    folder: Path
    port: int
    signals: list[int]
    arrived: list[socket.socket]

    def aim(self, attack: str) -> str:
        clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
        places = {
            "VICTIM": f"{self.folder}/victim.txt",
            "OUTSIDE": str(self.folder),
            "PORT": str(self.port),
            "CLONE": str(clone),
        }
        for name, value in places.items():
            attack = attack.replace(name, value)
        return attack

    def state(self) -> object:
        """All that an attack could change: names, contents, modes, owners, times, attributes, signals, what came in."""
        found = []
        for path in sorted([self.folder, *self.folder.rglob("*")] if self.folder.exists() else []):
            facts = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            attributes = os.listxattr(path, follow_symlinks=False)
            found.append(
                (path.name, content, facts.st_mode, facts.st_uid, facts.st_mtime_ns, facts.st_nlink, attributes)
            )
        return found, list(self.signals), [self._came_in(each) for each in self.arrived]

    @staticmethod
    def _came_in(server: socket.socket) -> bool:
        try:
            if server.type == socket.SOCK_STREAM:
                server.accept()[0].close()
            else:
                server.recv(9)
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "victim.txt").write_text("precious")
    (tmp_path / "victim.txt").chmod(0o640)
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(f"{tmp_path}/socket")
    unix.listen()
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(f"{tmp_path}/datagrams")
    servers = [tcp, udp, unix, datagrams]
    for server in servers:
        server.setblocking(False)
    signals: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: signals.append(number))
    yield Target(tmp_path, port, signals, servers)
    signal.signal(signal.SIGUSR1, before)
    for server in servers:
        server.close()


@pytest.mark.parametrize("name", BLOCKED)
def test_an_attack_is_refused(name: str, target: Target) -> None:
    before = target.state()
    outcome = run(target.aim(BLOCKED[name]), LIMITS)
    assert outcome.status == "failed"
    assert any(words in outcome.detail for words in REFUSALS), outcome.detail
    assert target.state() == before


@pytest.mark.parametrize("name", attacks.PRETENDED)
def test_a_change_of_mode_owner_or_times_is_not_done(
    name: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even of a file that may be read: Landlock does not see these calls."""
    monkeypatch.setattr(interpreter, "readable", lambda: [*READABLE, str(target.folder)])
    before = target.state()
    assert run(target.aim(attacks.PRETENDED[name]), LIMITS).status == "passed"
    assert target.state() == before


READABLE = interpreter.readable()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_may_be_read_cannot_be_changed_with_an_old_landlock_either(
    version: int, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version > landlock.abi():
        pytest.skip("this kernel has no such Landlock")
    monkeypatch.setattr(landlock, "abi", lambda: version)
    monkeypatch.setattr(interpreter, "readable", lambda: [*READABLE, str(target.folder)])
    before = target.state()
    code = [
        f"assert open('{target.folder}/victim.txt').read() == 'precious'",
        *(f"try: exec({target.aim(attack)!r})\nexcept OSError: pass" for attack in attacks.WRITING.values()),
    ]
    assert run("\n".join(code), LIMITS).status == "passed"
    assert target.state() == before


@pytest.mark.parametrize("name", {**BLOCKED, **attacks.PRETENDED})
def test_the_attack_works_elsewhere(name: str, target: Target, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without this, an attack with a typing error would count as refused."""
    attack = target.aim({**BLOCKED, **attacks.PRETENDED}[name])
    before = target.state()
    folder = tmp_path_factory.mktemp("plain")
    done = subprocess.run([sys.executable, "-c", attack], cwd=folder, capture_output=True, text=True, check=False)
    if "parent" in name or "lookup" in name:
        return  # a debugger's right or an answering server: not everywhere
    assert done.returncode == 0, done.stderr
    if name.startswith("writing") or any(name.endswith(each) for each in VISIBLE):
        assert target.state() != before


def test_root_has_no_powers_there(tmp_path: Path) -> None:
    """Read by a process outside while the code runs."""
    code = "import time, os; open('ready', 'w').close(); time.sleep(60)"
    helper = f"from distill.sandbox.run import *; run({code!r}, Limits(seconds=5))"
    with subprocess.Popen([sys.executable, "-c", helper], env=os.environ | {"TMPDIR": str(tmp_path)}) as process:
        import psutil

        def child() -> psutil.Process | None:
            return next(iter(psutil.Process(process.pid).children()), None)

        try:
            while (found := child()) is None or "Seccomp:\t2" not in _status(found.pid):
                assert process.poll() is None
            lines = dict(line.split(":\t", 1) for line in _status(found.pid).splitlines())
            assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0
            assert lines["NoNewPrivs"] == "1"
        finally:
            process.kill()


def _status(process: int) -> str:
    return Path(f"/proc/{process}/status").read_text()


def test_the_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert run("import os; assert 'HF_TOKEN' not in os.environ; assert len(os.environ) < 12", LIMITS).status == "passed"


def test_it_has_a_session_of_its_own_and_limits_that_do_not_depend_on_ours() -> None:
    """A signal from our terminal is not for it; how deep it may recurse is the same everywhere."""
    code = """
import os, resource
assert os.getsid(0) == os.getpid()
assert resource.getrlimit(resource.RLIMIT_STACK) == (8 << 20, 8 << 20)
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""
    assert run(code, LIMITS).status == "passed"


def test_open_files_of_ours_are_not_there(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    code = "import os\nfor n in range(3, 60):\n try: assert not os.path.isdir(n)\n except OSError: pass"
    assert run(code, LIMITS).status == "passed"
    os.close(descriptor)

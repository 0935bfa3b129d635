"""Run as a program, one on each node: starts that node's servers, watches them, and ends them with whoever gave the order.

    stdin    one line of JSON, the order (`Order`); the end of the stream stops everything, however it came
    stdout   one line of JSON an event: {"ready": …}, {"again": …}, {"failed": …}

It is a process apart because a server must not outlive a stage that is killed, nor leave its children (a vLLM whose front is
killed leaves the engine, with all its memory, running): orphans come back to the keeper, which ends them too. It knows nothing of
models or answers, and needs the standard library only, so that any Python on any node can run it.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
PORTS = range(20000, 32768)
"""Below those that systems hand out by themselves, so that a port is still free when a slow server takes it."""
TAIL = 20
"""Lines of a log that are shown with a failure."""
FIRST_ERROR = re.compile(r"(?:^|\] )(?:[a-z_]+\.)*([A-Z]\w*(?:Error|Exception): \S.*)", re.MULTILINE)
"""As Python ends a traceback, behind the prefix of a log too."""


@dataclass(frozen=True)
class Order:
    """What is to run on this node."""

    command: list[str]
    """With `{host}`, `{port}`, `{secret}` (a file that holds the key) and `{on_cpu}` where they belong."""
    environment: dict[str, str]
    """Beside what this process has."""
    bare: list[str]
    """Variables, or their beginnings, that the servers must not see: those of a launcher of training processes."""
    on_cpu: dict[str, str]
    """Variables for servers without a GPU, and their words in place of `{on_cpu}`."""
    on_cpu_words: list[str]
    key_env: str | None
    key_file: str | None
    """How the key reaches the server: a variable's name, or the text of a file with `{key}`."""
    key: str
    gpus: int | None
    servers: int | None
    restarts: int
    host: str
    """Name of this node for those who ask."""
    bind: str
    logs: str
    """Folder of the logs, and of the servers at work."""
    grace: float
    """Seconds between asking a server to end and killing it."""


@dataclass
class Server:
    log: Path
    command: list[str]
    environment: dict[str, str]
    port: int
    pid: int = 0
    started: float = 0.0
    begins: int = 0
    """Byte of the log at which this start begins."""
    ready: bool = False
    restarts: int = 0
    gone: list[int] = field(default_factory=list)
    """Exit status, once it has ended."""


def main() -> int:
    parent = os.getppid()
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: stop.append(got))
    if LINUX:
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans of our servers become our children
    line = sys.stdin.readline()
    if not line:
        return 1  # whoever wanted servers is gone already
    order = Order(**json.loads(line))
    servers: list[Server] = []
    try:
        with _secret(order) as secret:
            try:
                servers += plan(order, secret)
                for server in servers:
                    start(server)
                while not stop and os.getppid() == parent and not _closed(sys.stdin.fileno(), 0.2):
                    watch(servers, order)
            except (OSError, Failed) as failure:
                say(failed=str(failure))
                return 1
            return 0
    finally:
        end(servers, order.grace)


class Failed(Exception):
    """A server that is given up."""


def say(**event: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), flush=True)


# --- what runs where -------------------------------------------------------------------------------------------------


def plan(order: Order, secret: str) -> list[Server]:
    """One server for each group of this node's GPUs, or those on its processors."""
    named = order.environment.get("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
    visible = (
        [gpu for gpu in map(str.strip, named.split(",")) if gpu and gpu != "-1"]
        if named is not None
        else _installed_gpus()
    )
    each = order.gpus if order.gpus is not None else min(1, len(visible))
    count = order.servers or (len(visible) // each if each else 1)
    if count * each > len(visible) or not count:
        asked = f"{max(1, count)} x {each} GPUs" if order.servers else f"{each} GPUs for a server"
        raise Failed(f"{asked} were asked for on {order.host}, {len(visible)} are visible there")
    return [_server(order, secret, number, visible[number * each : (number + 1) * each]) for number in range(count)]


def _server(order: Order, secret: str, number: int, gpus: list[str]) -> Server:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(tuple(order.bare))}
    environment |= {} if gpus else order.on_cpu
    # -1 is none. An empty list is none too, but vLLM takes it for a sign that GPUs will come.
    gpu_list = {"CUDA_VISIBLE_DEVICES": ",".join(gpus) or "-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    environment |= {**order.environment, **gpu_list}
    if order.key_env:
        environment[order.key_env] = order.key
    port = _free_port(order.bind)
    filled = {"{host}": [order.bind], "{port}": [str(port)], "{secret}": [secret]}
    filled["{on_cpu}"] = [] if gpus else order.on_cpu_words
    command = [part for word in order.command for part in filled.get(word, [word])]
    return Server(Path(order.logs) / f"{order.host}-{number}.log", command, environment, port)


def _installed_gpus() -> list[str]:
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.split()


def _free_port(bind: str) -> int:
    for port in random.SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((bind, port))
            except OSError:
                continue
            return port
    raise Failed(f"no free port among {PORTS.start} to {PORTS.stop - 1}")


@contextlib.contextmanager
def _secret(order: Order) -> Any:
    """Path of a file with the key that only this user can read, for servers that take it from a file."""
    if order.key_file is None:
        yield ""
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(order.key_file.replace("{key}", order.key))
        file.flush()
        yield file.name


# --- one server ------------------------------------------------------------------------------------------------------


def start(server: Server) -> None:
    with server.log.open("ab") as log:
        log.write(f"--- {time.strftime('%F %T')} {' '.join(server.command)}\n".encode())
        log.flush()
        server.begins = log.tell()
        process = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=server.environment,
            cwd=server.log.parent,  # `python -m` looks into it first: a folder without surprises
            start_new_session=True,
            preexec_fn=_die_with_keeper,  # noqa: PLW1509 (this process has one thread)
        )
    process.returncode = 0  # reaped by `_reap`, whose business it is
    server.pid, server.started, server.ready, server.gone = process.pid, time.monotonic(), False, []


def _die_with_keeper() -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def watch(servers: list[Server], order: Order) -> None:
    """Note who is ready, and start again who crashed.

    Raises:
        Failed: one that never was ready, or crashed too often.
    """
    _reap(servers)
    for number, server in enumerate(servers):
        if server.gone:
            _again(server, order)
        elif not server.ready and _healthy(server, order):
            server.ready = True
            seconds = round(time.monotonic() - server.started, 1)
            address = f"http://{order.host}:{server.port}"
            say(ready=number, of=len(servers), address=address, log=str(server.log), seconds=seconds, pid=server.pid)


def _again(server: Server, order: Order) -> None:
    how = f"killed by signal {-server.gone[0]}" if server.gone[0] < 0 else f"exit status {server.gone[0]}"
    _kill_session(server.pid)
    if not server.ready and not server.restarts:
        raise Failed(f"it ended before it was ready ({how})\n{_said(server)}")
    if server.restarts == order.restarts:
        raise Failed(f"it crashed ({how}) after {server.restarts} restarts\n{_said(server)}")
    server.restarts += 1
    say(again=server.restarts, of=order.restarts, how=how, log=str(server.log))
    start(server)


def _healthy(server: Server, order: Order) -> bool:
    host = "127.0.0.1" if order.bind == "0.0.0.0" else order.bind
    connection = http.client.HTTPConnection(host, server.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _said(server: Server) -> str:
    """The error that came first, where one can be told (servers print much after it), and the last lines."""
    with server.log.open("rb") as file:
        file.seek(max(server.begins, server.log.stat().st_size - 2**16))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    found = FIRST_ERROR.search(text)
    first = [f"first error: {found[1][:500]}"] if found else []
    return "\n".join([*first, f"the last lines of {server.log}:", *(f"  | {line[:300]}" for line in lines[-TAIL:])])


# --- the end ---------------------------------------------------------------------------------------------------------


def end(servers: list[Server], grace: float) -> None:
    """Ask every server to end, kill what is left after the grace, and their orphans."""
    _reap(servers)
    alive = [server for server in servers if server.pid and not server.gone]
    for server in alive:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
    until = time.monotonic() + grace
    while time.monotonic() < until and not all(server.gone for server in alive):
        time.sleep(0.05)
        _reap(servers)
    for server in servers:
        _kill_session(server.pid)
    while children := _processes(4, os.getpid()):  # what left its session; killed, it hands us its own children
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
        _reap(servers)


def _kill_session(pid: int) -> None:
    """Everything that a server started and that did not leave its session."""
    if not pid:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for member in _processes(6, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def _processes(column: int, value: int) -> list[int]:
    """Processes of this machine whose /proc/PID/stat has the value in a column: 4 is the parent, 6 the session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat") if LINUX else ():
        with contextlib.suppress(OSError, IndexError):
            # The second column is a name in brackets, which may hold anything.
            after = path.read_text().rpartition(")")[2].split()
            if int(after[column - 3]) == value:
                found.append(int(path.parent.name))
    return found


def _reap(servers: list[Server]) -> None:
    """Take the exit status of every child that has ended: servers, and orphans that came to us."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for server in servers:
            if server.pid == pid:
                server.gone = [os.waitstatus_to_exitcode(status)]


def _closed(stream: int, seconds: float) -> bool:
    """Whether the one who gave the order is gone, after so many seconds at most."""
    readable, _, _ = select.select([stream], [], [], seconds)
    return bool(readable) and not os.read(stream, 4096)


if __name__ == "__main__":
    raise SystemExit(main())

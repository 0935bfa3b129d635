"""The keeper with a small server of its own to keep: ready at once, dies and forks when told to, says what it was given."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distill.engines.serving.node import KEEPER

PROGRAM = """
import http.server, json, os, subprocess, sys
host, port, folder, secret = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
if "crash" in sys.argv[5:]:
    print("WARNING fear `OSError: too many files`", file=sys.stderr)
    print("(Worker pid=7) ERROR [x.py:1] ValueError: no memory for it", file=sys.stderr)
    print("\\n".join(f"line {number}" for number in range(40)), file=sys.stderr)
    sys.exit(7)
# A child that leaves the session, as a server's engine may: only a keeper finds it again.
child, worker = (subprocess.Popen(["sleep", "600"], start_new_session=leaves) for leaves in (True, False))
here = {"pid": os.getpid(), "child": child.pid, "worker": worker.pid, "words": sys.argv, "environment": dict(os.environ),
        "secret": open(secret).read() if secret else ""}
open(f"{folder}/{port}.json", "w").write(json.dumps(here))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(9)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
"""


class Kept:
    """A keeper at work."""

    def __init__(self, folder: Path, words: tuple[str, ...], order: dict[str, Any]) -> None:
        self.folder = folder
        command = [sys.executable, "-c", PROGRAM, "{host}", "{port}", str(folder), "{secret}", "{on_cpu}", *words]
        self._order = {
            "command": command, "environment": {}, "bare": ["WORLD_SIZE"], "on_cpu": {"ON_CPU": "yes"}, "on_cpu_words": ["on-cpu"],
            "key_env": "THE_KEY", "key_file": None, "key": "very-secret", "gpus": None, "servers": None, "restarts": 1,
            "host": "127.0.0.1", "bind": "127.0.0.1", "logs": str(folder), "grace": 2.0, **order,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(KEEPER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(self._order) + "\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        """Its next event."""
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def given(self, address: str) -> dict[str, Any]:
        """What the server at an address was given."""
        said: dict[str, Any] = json.loads((self.folder / f"{address.rpartition(':')[2]}.json").read_text())
        return said

    def die(self, address: str) -> None:
        with suppress(OSError):
            urllib.request.urlopen(f"{address}/die", timeout=10)

    def close(self) -> int:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        return self.process.wait(30)


@contextmanager
def keep(folder: Path, *words: str, **order: Any) -> Iterator[Kept]:
    kept = Kept(folder, words, order)
    try:
        yield kept
    finally:
        kept.close()


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(true: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True

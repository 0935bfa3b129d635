"""One node's servers as the stage sees them: its keeper is started here or through Slurm, held alive by a pipe, and listened to.

    Node(…) -> addresses, once it is ready -> check, now and then -> ask_to_end, wait

Knows nothing of what is served.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from distill.context import Context
from distill.engines.serving import slurm
from distill.errors import EngineError

KEEPER = Path(__file__).with_name("keeper.py")
GRACE = 5.0
"""Seconds between asking a server to end and killing it."""


class Node:
    """Started when it is made.

    Args:
        node: of a Slurm job; this machine when not given.
        order: what the keeper reads (`keeper.Order`).
        changed: notified at whatever happens.
    """

    def __init__(self, node: str | None, order: dict[str, Any], context: Context, changed: threading.Condition) -> None:
        self._node, self._context, self._changed = node or "this machine", context, changed
        self._ready: dict[int, str] = {}
        self._expected = 1
        self._failed: str | None = None
        command = [*slurm.on(node), sys.executable, "-I", str(KEEPER)]
        try:
            # A session of its own: Ctrl-C is for the stage, which then stops its servers in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"{command[0]} cannot be run: {error}", where="runtime.server.start") from error
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # gone already: its end says why
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def addresses(self) -> list[str]:
        """Of the servers that are ready."""
        return [address for _, address in sorted(self._ready.items())]

    @property
    def ready(self) -> bool:
        """All of them are."""
        return len(self._ready) == self._expected

    def check(self) -> None:
        """Raises an EngineError when a server of the node is given up."""
        if self._failed is not None:
            raise EngineError(
                f"a server on {self._node} is given up: {self._failed}",
                where="runtime.server.start",
                hint="mend what the log complains of and run again: answers that came are kept",
            )

    def ask_to_end(self) -> None:
        """The end of the pipe is the end of the servers."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self) -> None:
        """Until they are gone."""
        try:
            self._process.wait(GRACE + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        """Take the keeper's lines until it ends; without a word of its own, its end is a failure too."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(line)
        status = self._process.wait()
        with self._changed:
            if self._failed is None:
                self._failed = f"its keeper ended (exit status {status})"
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            self._context.say(f"  {self._node}: {line.rstrip()}")  # srun's own words
            return
        with self._changed:
            if "ready" in event:
                self._ready[event["ready"]], self._expected = event["address"], event["of"]
            elif "again" in event:
                times = f"{event['again']} of {event['of']} restarts"
                self._context.say(f"  a server crashed ({event['how']}) and is started again, {times}: {event['log']}")
            elif "failed" in event:
                self._failed = event["failed"]
            self._changed.notify_all()

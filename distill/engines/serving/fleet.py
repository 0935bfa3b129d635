"""All servers of one model in one stage: started on this node or on each of a Slurm job, known by their addresses, stopped with it.

    Start + model -> one keeper a node -> addresses, the name to ask by, the key

Only the main rank starts them; the others are told. Knows nothing of questions and answers.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distill.context import Context, Resolved
from distill.engines.serving import commands, slurm
from distill.engines.serving.node import GRACE, Node
from distill.engines.serving.weights import weights
from distill.errors import DistillError, EngineError
from distill.start import Start, Word

BARE = """RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK GROUP_WORLD_SIZE ROLE_RANK ROLE_NAME ROLE_WORLD_SIZE MASTER_ADDR
MASTER_PORT TORCHELASTIC_ ACCELERATE_ FSDP_ DISTILL_ OMP_NUM_THREADS PYTHONPATH PYTHONHOME VIRTUAL_ENV""".split()
"""Variables, or their beginnings, of the stage that would mislead a server."""


@dataclass(frozen=True)
class Served:
    """Where a started model answers."""

    addresses: tuple[str, ...]
    """`http://HOST:PORT/v1`, the same ones for as long as the stage lasts, over restarts too."""
    model: str
    """Name that a question gives the model by."""
    key: str
    """For `Authorization: Bearer …`. Made for this stage; it is in no file that stays."""


class Fleet:
    """Started by `open`, stopped by `close`, or with this process whatever ends it.

    Args:
        args: options that change answers, as the recipe's `engine.args` has them.
        source: the model.
        name: what it is to be called.
        adapter: folder of an adapter that it wears.
    """

    def __init__(
        self,
        start: Start,
        args: Sequence[Word],
        source: Resolved,
        name: str,
        context: Context,
        adapter: Path | None = None,
    ) -> None:
        self._start, self._args, self._source, self._adapter = start, args, source, adapter
        self._name, self._context = name, context
        self._nodes: list[Node] = []
        self._served: Served | None = None

    def open(self) -> Served:
        """The servers, started now if they are not yet; every rank calls it together.

        Raises:
            EngineError: they cannot be started, or did not get ready in time. All that were started are stopped again.
        """
        if self._served is None:
            mine: list[Served | DistillError] = []
            if self._context.ranks.main:
                try:
                    mine.append(self._open())
                except DistillError as error:
                    self.close()
                    mine.append(error)
            # An error is told too: nobody waits for servers that will never be.
            told = self._context.ranks.gather(mine)[0]
            if isinstance(told, DistillError):
                raise told
            self._served = told
        return self._served

    def check(self) -> None:
        """Whether there is hope: a server that does not answer now may be starting again.

        Raises:
            EngineError: one crashed more often than `restarts` allows; the message has the end of its log.
        """
        for each in self._nodes:
            each.check()

    def close(self) -> None:
        """Stop them and wait until they are gone."""
        for each in self._nodes:
            each.ask_to_end()
        for each in self._nodes:
            each.wait()
        self._nodes, self._served = [], None

    def _open(self) -> Served:
        begun, start = time.monotonic(), self._start
        logs = self._folder()
        loaded = weights(start.kind, self._source, self._adapter, self._context.cache, logs / "model")
        command = commands.command(start, self._args, loaded, self._name)
        key = secrets.token_urlsafe(24)
        nodes = slurm.nodes() if start.nodes == "slurm" else [None]
        if start.nodes == "slurm" and not (command.key_env or command.key_file):
            self._context.say(f"  {start.kind} takes no key: whoever reaches these nodes can ask its servers")
        self._context.say(f"  starting {start.kind} on {_list(nodes)}; logs in {logs}")
        changed = threading.Condition()
        for node in nodes:
            self._nodes.append(Node(node, _order(start, command, key, node, logs), self._context, changed))
        found = self._ready(changed, begun + start.ready_within, logs)
        served = Served(tuple(f"{address}/v1" for address in found), command.model, key)
        for address in served.addresses if command.listed else ():
            _expect(address, served)
        count = f"{len(found)} servers" if len(found) > 1 else "1 server"
        self._context.say(f"  {count} of {self._name} ready after {time.monotonic() - begun:.0f} s")
        return served

    def _ready(self, changed: threading.Condition, until: float, logs: Path) -> list[str]:
        """Addresses of all servers, once every one is ready; the first that fails ends the wait."""
        with changed:
            while not all(each.ready for each in self._nodes):
                self.check()
                if not changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise EngineError(
                        f"the servers were not ready after {self._start.ready_within:g} s",
                        where="runtime.server.start.ready_within",
                        hint=f"look into {logs}; a large model on a slow disk needs more seconds",
                    )
            self.check()
        return [address for each in self._nodes for address in each.addresses]

    def _folder(self) -> Path:
        """A fresh folder for the logs."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{self._start.kind}-{socket.gethostname()}-{os.getpid()}"
        folder = (self._context.cache / "logs" / f"{name}-{secrets.token_hex(2)}").absolute()
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise EngineError(f"no folder for the servers' logs: {error}", where=str(folder)) from error
        return folder


def _order(start: Start, command: commands.Command, key: str, node: str | None, logs: Path) -> dict[str, Any]:
    """What the keeper reads (`keeper.Order`)."""
    return {
        "command": list(command.words),
        "environment": {**commands.QUIET, **start.environment},
        "bare": BARE,
        "on_cpu": command.on_cpu,
        "on_cpu_words": command.on_cpu_words,
        "key_env": command.key_env,
        "key_file": command.key_file,
        "key": key,
        "gpus": start.gpus,
        "servers": start.servers,
        "restarts": start.restarts,
        "host": node or "127.0.0.1",
        "bind": "0.0.0.0" if node else "127.0.0.1",
        "logs": str(logs),
        "grace": GRACE,
    }


def _expect(address: str, served: Served) -> None:
    """Ask a server from here, by the address that questions go to, whether it has the model.

    Raises:
        EngineError: it is not reached from here, or has another model.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", f"{parts.path}/models", headers={"Authorization": f"Bearer {served.key}"})
        names = [str(each["id"]) for each in json.loads(connection.getresponse().read())["data"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"the server at {address} is ready on its node, and not reached from here: {error!r}",
            where="runtime.server.start",
            hint="nodes must reach each other by the names that Slurm gives them, on ports 20000 to 32767",
        ) from error
    finally:
        connection.close()
    if served.model not in names:
        raise EngineError(f"the server at {address} has {names}, not {served.model!r}", where="runtime.server.start")


def _list(nodes: Sequence[str | None]) -> str:
    return ", ".join(node or "this machine" for node in nodes)

"""What the confined process is told: limits and places first, the generated code after them, the proof last of all.

One stream of bytes, read piece by piece: the code is not in the process before it is confined, and the token that proves
success is not in it before the last test has run.
"""

from __future__ import annotations

import marshal
from typing import Literal, TypedDict


class Order(TypedDict):
    """Marshalled, because json alone would take as long to import as the interpreter takes to start."""

    kind: Literal["program", "check"]
    parent: int
    """Process whose death ends this one."""
    machine: str
    seconds: int
    """Of processor time, by the kernel's rough count: ends the code where we are not there to do it."""
    memory: int
    """Bytes of address space."""
    written: int
    """Bytes of a file."""
    abi: int
    """Of Landlock."""
    folder: str
    """Where the code may write."""
    readable: list[str]
    """Files and folders that it may read besides."""
    packages: list[str]
    """Folders of installed packages, for sys.path."""
    judges: list[str]
    """Modules that the tests import: the solution must leave them as they are."""
    sizes: list[int]
    """Bytes of each part that follows: the program; or solution, tests and token."""


def pack(order: Order, parts: list[bytes]) -> bytes:
    """The stream: length of the order in four bytes, the order, the parts."""
    head = marshal.dumps(dict(order))
    return b"".join([len(head).to_bytes(4, "big"), head, *parts])

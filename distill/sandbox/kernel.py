"""System calls that Python has no name for: numbers and arguments in, an OSError where the kernel refuses.

Used by the process that confines itself, which starts once per check: nothing here imports more than ctypes and os.
"""

from __future__ import annotations

import ctypes
import os

NUMBERS = {"pidfd_open": 434, "landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}
"""The same on every machine."""
OPTIONS = {"set_death_signal": 1, "set_seccomp": 22, "set_no_new_privileges": 38}
"""Of prctl(2)."""


def syscall(name: str, *arguments: int | bytes | None) -> int:
    """A call by its name; bytes are passed as the address of the first."""
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    return _checked(name, function(ctypes.c_long(NUMBERS[name]), *map(_wide, arguments)))


def prctl(option: str, *arguments: int) -> None:
    """A setting of this process. The kernel insists on zeros for the arguments that are left."""
    arguments += (0,) * (4 - len(arguments))
    _checked(option, ctypes.CDLL(None, use_errno=True).prctl(OPTIONS[option], *map(_wide, arguments)))


def drop_capabilities() -> None:
    """Root without the powers of root; from anybody else, nothing is taken."""
    version_3_of_this_thread = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked("capset", ctypes.CDLL(None, use_errno=True).capset(version_3_of_this_thread, (ctypes.c_uint32 * 6)()))


def _wide(argument: int | bytes | None) -> ctypes.c_ulong | bytes | None:
    return ctypes.c_ulong(argument) if isinstance(argument, int) else argument


def _checked(name: str, result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result

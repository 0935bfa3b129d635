"""Landlock: which files a process may open from now on, for good, by folder. It knows nothing of networks and processes.

The rights are numbered as in <linux/landlock.h>. Kernels before ABI 3 do not see a truncation, those before ABI 2 refuse
every move between two folders; truncation by name is refused by the filter of calls, everywhere (seccomp.py). What Landlock covers
in no version (mode, owner, times, attributes of a file) is the filter's too.
"""

from __future__ import annotations

import os
import struct

from distill.sandbox.kernel import syscall

WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(1, 6))
MAKE_DIR, MAKE_REG, MAKE_SYM, REFER, TRUNCATE = (1 << bit for bit in (7, 8, 12, 13, 14))
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights are known from an ABI on: all of them are taken away, then some are given back."""
READ = READ_FILE | READ_DIR
OWN = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE
OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE


def abi() -> int:
    """The version that this kernel speaks; an OSError where it speaks none (ENOSYS) or was told not to (EOPNOTSUPP)."""
    return syscall("landlock_create_ruleset", None, 0, 1)


def restrict(rules: dict[str, int], version: int) -> None:
    """Take every right away from this process and its descendants but those in `rules`, for good.

    Args:
        rules: file or folder to rights; those of a folder hold for all that is in it.
        version: the ABI to go by, at most that of the kernel.
    """
    known = (1 << max(count for since, count in RIGHTS.items() if since <= version)) - 1
    ruleset = syscall("landlock_create_ruleset", struct.pack("Q", known), 8, 0)
    for path, rights in rules.items():
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights & known & (-1 if os.path.isdir(path) else OF_FILES)  # noqa: PTH112
        syscall("landlock_add_rule", ruleset, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)

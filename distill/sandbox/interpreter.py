"""The Python that runs generated code: its command line, its environment, and what it must be able to read."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from pathlib import Path

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
"""Shared libraries and time zones. Nothing of /etc, /proc, /home or /var."""
START = "import sys; sys.path.insert(0, sys.argv[1]); from distill.sandbox.child import main; main()"


def command() -> list[str]:
    """This interpreter without start-up files, user folders and the current folder on its path."""
    root = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-s", "-S", "-B", "-P", "-X", "utf8", "-c", START, root]


def environment(folder: str) -> dict[str, str]:
    """All that the code finds in `os.environ`: no keys, one order of hashes, one thread of BLAS, one pool of memory."""
    variables = {
        "HOME": folder,
        "TMPDIR": folder,
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    # where a cluster's module system has put libpython, an interpreter does not start without it
    return variables | {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


@functools.cache
def packages() -> list[str]:
    """Folders of installed packages: what this environment has can be imported."""
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


@functools.cache
def readable() -> list[str]:
    """The standard library, the installed packages and the shared libraries of the system."""
    homes = {sys.base_prefix, sys.base_exec_prefix}
    libraries = [str(Path(home) / name) for home in sorted(homes) for name in ("lib", "lib64")]
    return [path for path in dict.fromkeys([*libraries, *packages(), *SYSTEM]) if Path(path).exists()]


def without_places(text: str, folder: str) -> str:
    """A traceback without the names of folders: those of the library are this machine's, that of the code is another each time."""
    libraries = sorted({*packages(), sysconfig.get_path("stdlib")}, key=len, reverse=True)
    for place in (folder, *libraries):
        text = text.replace(f"{place}/", "")
    return text.replace(folder, ".")

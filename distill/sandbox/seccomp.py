"""The filter of system calls: what a program may ask of the kernel at all, as a BPF program that outlives everything it does.

Landlock guards files that are opened; everything else is refused here, by not being listed: sockets, other processes, other
programs, signals, tracing, mounts, keys, io_uring, memory that no limit counts, higher limits.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from distill.sandbox import syscalls
from distill.sandbox.kernel import prctl

LOAD, AND, JUMP_IF_EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
CALL, MACHINE = 0, 4
"""Offsets in what a filter is shown (struct seccomp_data)."""

Check = tuple[int, int, tuple[int, ...]]
"""A 32-bit word of the arguments (2n is the lower of argument n, 2n + 1 the upper), the bits that count, the values allowed."""

THREAD = 0x10000
NEW_NAMESPACES = 0x7E020000
TRUNCATING = 0o1000 | 3
"""O_TRUNC and the access mode: a file opened for reading and truncated is refused, as old Landlocks let it through."""
OPEN_FLAGS = (0, 1, 2, 0o1001, 0o1002)
ALL = 0xFFFFFFFF


def checks(own: int) -> dict[str, tuple[Check, ...]]:
    """What the arguments of a checked call must be, for the process `own`."""
    return {
        "clone": ((0, THREAD | NEW_NAMESPACES, (THREAD,)),),  # threads, and no processes
        "kill": ((0, ALL, (own,)),),
        "tgkill": ((0, ALL, (own,)),),
        "prlimit64": ((4, ALL, (0,)), (5, ALL, (0,))),  # ask for limits, set none
        # close on exec, blocking or not, bytes waiting, is it a terminal: no TIOCSTI, no FIOSETOWN
        "ioctl": ((2, ALL, (0x5451, 0x5450, 0x5421, 0x541B, 0x5401, 0x5413)),),
        # copies, flags, locks: no F_SETOWN and F_SETSIG (signals to others), no F_SETPIPE_SZ (memory that no limit counts)
        "fcntl": ((2, ALL, (0, 1, 2, 3, 4, 5, 6, 7, 1030)),),
        "socketpair": ((0, ALL, (1,)), (2, 0xF, (1,))),  # AF_UNIX, SOCK_STREAM: what asyncio wakes itself with
        "mmap": ((6, 0x21, (0, 0x20, 0x21)),),  # a file may not be mapped to be written: such bytes are not counted
        "open": ((2, TRUNCATING, OPEN_FLAGS),),
        "openat": ((4, TRUNCATING, OPEN_FLAGS),),
    }


def program(machine: str, own: int) -> bytes:
    """The filter for a process, as instructions of 8 bytes each."""
    column, mark = syscalls.MACHINES[machine]
    code = [_load(MACHINE), _jump(mark, 1, 0), _return(KILL), _load(CALL)]
    answers = (
        (syscalls.ALLOWED, ALLOW),
        (syscalls.PRETENDED, REFUSE),  # with error 0, which is success
        (syscalls.UNSUPPORTED, REFUSE | errno.ENOTSUP),
        (syscalls.ABSENT, REFUSE | errno.ENOSYS),
    )
    for table, answer in answers:
        for numbers in table.values():
            if numbers[column] >= 0:
                code += [_jump(numbers[column], 0, 1), _return(answer)]
    for name, all_of in checks(own).items():
        body = [instruction for check in all_of for instruction in _must(check)]
        if syscalls.CHECKED[name][column] >= 0:
            code += [_jump(syscalls.CHECKED[name][column], 0, len(body) + 1), *body, _return(ALLOW)]
    given = _pretend_unless_null(2)
    code += [_jump(syscalls.TIMES[column], 0, len(given)), *given]
    return b"".join([*code, _return(REFUSE | errno.EPERM)])


def install(instructions: bytes) -> None:
    """Put the filter on this process, for good. Privileges must have been given up before."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("first", ctypes.c_char_p)]

    it = Program(len(instructions) // 8, instructions)
    prctl("set_seccomp", 2, ctypes.addressof(it))


def _must(check: Check) -> list[bytes]:
    """Instructions that go on where a word of the arguments has an allowed value, and end in refusal where not."""
    word, mask, values = check
    last = len(values) - 1
    jumps = [_jump(value, last - index + 1, 0) for index, value in enumerate(values)]
    return [_load(_word(word)), struct.pack("HBBI", AND, 0, 0, mask), *jumps, _return(REFUSE | errno.EPERM)]


def _pretend_unless_null(argument: int) -> list[bytes]:
    """Instructions that answer a call with success, undone, or refuse it if an argument is a null pointer."""
    low, high = _load(_word(2 * argument)), _load(_word(2 * argument + 1))
    return [low, _jump(0, 0, 3), high, _jump(0, 0, 1), _return(REFUSE | errno.EPERM), _return(REFUSE)]


def _word(index: int) -> int:
    """Where a 32-bit word of the arguments is."""
    return 16 + 4 * index


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", LOAD, 0, 0, offset)


def _jump(value: int, equal: int, other: int) -> bytes:
    """Skip so many instructions."""
    return struct.pack("HBBI", JUMP_IF_EQUAL, equal, other, value)


def _return(answer: int) -> bytes:
    return struct.pack("HBBI", RETURN, 0, 0, answer)

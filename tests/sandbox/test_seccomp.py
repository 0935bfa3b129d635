"""The filter, run instruction by instruction, for both machines."""

from __future__ import annotations

import struct

import pytest

from distill.sandbox import seccomp, syscalls

OWN = 4711
EPERM, ENOSYS, ENOTSUP, SUCCESS = 0x50001, 0x50026, 0x5005F, 0x50000
MACHINES = list(syscalls.MACHINES)


def decide(machine: str, number: int, *arguments: int, mark: int | None = None) -> int:
    """What the kernel would answer."""
    code = list(struct.iter_unpack("HBBI", seccomp.program(machine, OWN)))
    mark = syscalls.MACHINES[machine][1] if mark is None else mark
    shown = struct.pack("<IIQ6Q", number, mark, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator, at = 0, 0
    while True:
        operation, equal, other, value = code[at]
        at += 1
        match operation:
            case seccomp.LOAD:
                accumulator = struct.unpack_from("<I", shown, value)[0]
            case seccomp.AND:
                accumulator &= value
            case seccomp.JUMP_IF_EQUAL:
                at += equal if accumulator == value else other
            case seccomp.RETURN:
                return value


def number(machine: str, name: str) -> int:
    tables = syscalls.ALLOWED | syscalls.PRETENDED | syscalls.UNSUPPORTED | syscalls.ABSENT | syscalls.CHECKED
    return tables[name][syscalls.MACHINES[machine][0]]


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_is_answered_by_its_list_and_others_are_refused(machine: str) -> None:
    column = syscalls.MACHINES[machine][0]
    answers = dict.fromkeys(range(700), EPERM)
    for table, answer in (
        (syscalls.ALLOWED, seccomp.ALLOW),
        (syscalls.PRETENDED, SUCCESS),
        (syscalls.UNSUPPORTED, ENOTSUP),
        (syscalls.ABSENT, ENOSYS),
    ):
        answers |= {numbers[column]: answer for numbers in table.values() if numbers[column] >= 0}
    checked = {numbers[column] for numbers in (*syscalls.CHECKED.values(), syscalls.TIMES)}
    wrong = {
        n: hex(decide(machine, n)) for n, answer in answers.items() if n not in checked and decide(machine, n) != answer
    }
    assert not wrong


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("clone", [(0x3D0F00,)], [(17,), (0x4111,), (0x10000 | 0x10000000,), (0x10000 | 0x20000,), (0,)]),
        ("kill", [(OWN, 9)], [(1, 9), (0, 9), (0xFFFFFFFF, 9), (OWN + 1, 9)]),
        ("tgkill", [(OWN, OWN, 6)], [(OWN + 1, OWN, 6)]),
        ("prlimit64", [(0, 7, 0, 1 << 40)], [(0, 7, 1), (0, 7, 1 << 40), (0, 7, 0x7F0000000000)]),
        ("ioctl", [(1, 0x5401), (1, 0x5421)], [(0, 0x5412), (3, 0x8901), (3, 0x5452), (3, 0x40049409)]),
        ("fcntl", [(1, 3), (1, 1030)], [(1, 8), (1, 10), (1, 1031), (1, 15), (1, 1033)]),
        ("socketpair", [(1, 1), (1, 0o2004001)], [(1, 2), (2, 1), (16, 1), (1, 5)]),
        ("mmap", [(0, 1, 3, 0x22), (0, 1, 3, 0x21), (0, 1, 1, 2)], [(0, 1, 3, 1), (0, 1, 1, 1), (0, 1, 3, 3)]),
        ("openat", [(0, 0, 0), (0, 0, 0o1101), (0, 0, 2), (0, 0, 0o2000000)], [(0, 0, 0o1000), (0, 0, 3)]),
    ],
)
def test_arguments_decide(
    name: str, allowed: list[tuple[int, ...]], refused: list[tuple[int, ...]], machine: str
) -> None:
    assert [decide(machine, number(machine, name), *each) for each in allowed] == [seccomp.ALLOW] * len(allowed)
    assert [decide(machine, number(machine, name), *each) for each in refused] == [EPERM] * len(refused)


@pytest.mark.parametrize("machine", MACHINES)
def test_given_times_are_pretended_and_the_present_is_refused(machine: str) -> None:
    times = syscalls.TIMES[syscalls.MACHINES[machine][0]]
    assert decide(machine, times, 0, 1, 0x7F0000000000) == decide(machine, times, 0, 1, 8) == SUCCESS
    assert decide(machine, times, 0, 1, 0) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_in_the_manner_of_other_machines_end_the_process(machine: str) -> None:
    """On x86_64 a process can make 32-bit calls, and calls of the x32 interface."""
    assert decide(machine, number(machine, "read"), mark=0x40000003) == seccomp.KILL
    assert decide(machine, number(machine, "read") | 0x40000000) == EPERM


def test_no_number_stands_twice() -> None:
    times = {"utimensat": syscalls.TIMES}
    tables = (syscalls.ALLOWED, syscalls.PRETENDED, syscalls.UNSUPPORTED, syscalls.ABSENT, syscalls.CHECKED, times)
    for column, _ in syscalls.MACHINES.values():
        numbers = [each[column] for table in tables for each in table.values() if each[column] >= 0]
        assert len(numbers) == len(set(numbers))

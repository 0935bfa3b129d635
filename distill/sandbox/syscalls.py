"""The system calls that a Python program needs, by name: their numbers on (x86_64, aarch64), -1 where there is none.

What stands in no list is refused, so a call that a future kernel adds is refused too. Numbers are those of Linux's
`asm/unistd_64.h` and `asm-generic/unistd.h`, and will never change.
"""

from __future__ import annotations

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine to the column of its numbers, and its mark in <linux/audit.h>."""

# fmt: off
ALLOWED = {
    # bytes
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "pwrite64": (18, 68),
    "preadv": (295, 69), "pwritev": (296, 70), "preadv2": (327, 286), "pwritev2": (328, 287), "lseek": (8, 62),
    "sendfile": (40, 71), "copy_file_range": (326, 285), "fadvise64": (221, 223),
    # descriptors
    "close": (3, 57), "close_range": (436, 436), "dup": (32, 23), "dup2": (33, -1), "dup3": (292, 24),
    "pipe": (22, -1), "pipe2": (293, 59), "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46),
    # files and folders
    "stat": (4, -1), "lstat": (6, -1), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "statfs": (137, 43), "fstatfs": (138, 44), "access": (21, -1), "faccessat": (269, 48), "faccessat2": (439, 439),
    "readlink": (89, -1), "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1), "unlink": (87, -1),
    "unlinkat": (263, 35), "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, -1),
    "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36), "umask": (95, 166),
    # memory
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226), "madvise": (28, 233),
    "mincore": (27, 232), "msync": (26, 227), "membarrier": (324, 283),
    # threads and signals
    "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "rseq": (334, 293),
    "set_tid_address": (218, 96), "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136), "rt_sigtimedwait": (128, 137),
    "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "restart_syscall": (219, 128), "pause": (34, -1),
    "alarm": (37, -1), "getitimer": (36, 102), "setitimer": (38, 103), "exit": (60, 93), "exit_group": (231, 94),
    "wait4": (61, 260), "waitid": (247, 95),
    # waiting
    "select": (23, -1), "pselect6": (270, 72), "poll": (7, -1), "ppoll": (271, 73), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_wait": (232, -1), "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441),
    "eventfd2": (290, 19), "timerfd_create": (283, 85), "timerfd_settime": (286, 86), "timerfd_gettime": (287, 87),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    # asking
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getpgrp": (111, -1), "getpgid": (121, 155),
    "getsid": (124, 156), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150), "gettimeofday": (96, 169),
    "time": (201, -1), "times": (100, 153), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "getrusage": (98, 165), "getrlimit": (97, 163), "getrandom": (318, 278), "uname": (63, 160), "sysinfo": (99, 179),
    "getcpu": (309, 168), "getpriority": (140, 141),
    # the two ends of a socket pair; a socket of any other kind cannot be made
    "sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210), "getsockname": (51, 204),
    "getpeername": (52, 205), "getsockopt": (55, 209),
}

PRETENDED = {
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1),
    "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54),
}
"""Mode and owner of files, which Landlock does not guard: answered with success and not done, as a file system without them does
(`mount -o quiet`), so that `shutil.copy` works and no file elsewhere is changed."""

TIMES = (280, 88)
"""utimensat, not guarded either. Pretended for given times (`shutil.copy2`), refused for the present (`Path.touch`, which then
opens the file, as it should)."""

UNSUPPORTED = {
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "getxattr": (191, 8), "lgetxattr": (192, 9),
    "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12), "flistxattr": (196, 13),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}
"""Extended attributes: ENOTSUP, as on a file system without them."""

ABSENT = {"clone3": (435, 435), "openat2": (437, 437)}
"""ENOSYS, on which libraries fall back on the older call. A filter cannot look into their arguments."""

CHECKED = {
    "clone": (56, 220), "kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261), "ioctl": (16, 29),
    "fcntl": (72, 25), "socketpair": (53, 199), "mmap": (9, 222), "open": (2, -1), "openat": (257, 56),
}
"""Allowed with some arguments only: seccomp.py says which."""
# fmt: on

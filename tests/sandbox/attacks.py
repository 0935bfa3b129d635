"""Programs that do harm: each ends with status 0 if it succeeded. What they aim at is put in by test_confinement.py."""

from __future__ import annotations

RAW = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.syscall.restype = ctypes.c_long\n"
"""For calls with no function in Python."""

WRITING = {
    "create": "open('OUTSIDE/new.txt', 'w').write('x')",
    "overwrite": "open('VICTIM', 'w').write('x')",
    "append": "open('VICTIM', 'a').write('x')",
    "truncate by name": "import os; os.truncate('VICTIM', 0)",
    "truncate while reading": "import os; os.open('VICTIM', os.O_RDONLY | os.O_TRUNC)",
    "delete": "import os; os.remove('VICTIM')",
    "delete all": "import shutil; shutil.rmtree('OUTSIDE')",
    "move away": "import os; os.rename('VICTIM', 'mine')",
    "move onto": "import os; open('mine', 'w').write('x'); os.replace('mine', 'VICTIM')",
    "hard link": "import os; os.link('VICTIM', 'mine'); open('mine', 'w').write('x')",
    "symbolic link": "import os; os.symlink('VICTIM', 'mine'); open('mine', 'w').write('x')",
    "dots": "import os; open(os.path.relpath('VICTIM'), 'w').write('x')",
    "folder": "import os; os.mkdir('OUTSIDE/new')",
    "link outside": "import os; os.symlink('/', 'OUTSIDE/new')",
    "pipe outside": "import os; os.mkfifo('OUTSIDE/new')",
    "socket outside": "import socket; socket.socket(socket.AF_UNIX).bind('OUTSIDE/new')",
    "map": "import mmap, os; m = mmap.mmap(os.open('VICTIM', os.O_RDWR), 0); m[0] = 0",
    "present time": "import os; os.utime('VICTIM')",
    "attribute": "import os; os.setxattr('VICTIM', 'user.x', b'x')",
}
PRETENDED = {
    "mode": "import os; os.chmod('VICTIM', 0o777)",
    "mode of an open file": "import os; os.fchmod(os.open('VICTIM', os.O_RDONLY), 0o777)",
    "times": "import os; os.utime('VICTIM', (1, 1))",
    "times of an open file": "import os; os.utime(os.open('VICTIM', os.O_RDONLY), (1, 1))",
    "owner": "import os; os.chown('VICTIM', os.getuid(), os.getgid()); os.utime('OUTSIDE', (1, 1))",
}
"""Answered with success, and not done."""

READING = {
    "file": "assert open('VICTIM').read()",
    "folder": "import os; os.listdir('OUTSIDE')",
    "passwords": "assert open('/etc/passwd').read()",
    "parent's environment": "import os; assert open(f'/proc/{os.getppid()}/environ').read()",
    "parent's memory": "import os; open(f'/proc/{os.getppid()}/mem', 'rb')",
    "own memory": "open('/proc/self/mem', 'rb')",
    "root": "import os; os.listdir('/')",
}

NETWORK = {
    "tcp": "import socket; socket.create_connection(('127.0.0.1', PORT)).send(b'x')",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "unix": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('OUTSIDE/socket'); s.send(b'x')",
    "abstract": "import socket; socket.socket(socket.AF_UNIX).bind(b'\\0distill-test')",
    "pair of datagrams": (
        "import socket; a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "a.sendto(b'x', 'OUTSIDE/datagrams')"
    ),
    "routes": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "lookup": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:PORT', timeout=0.2)",
}

PROCESSES = {
    "fork": "import os\nif os.fork() == 0: os._exit(0)",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'], check=True)",
    "shell": "import os; assert os.system('true') == 0, 'refused'",
    "spawn": "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "replace": "import os; os.execv('/bin/true', ['true'])",
    "pool": "import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()",
    "clone": RAW + "if (r := libc.syscall(CLONE, 17, 0, 0, 0, 0)) == 0: libc._exit(0)\nassert r > 0, 'refused'",
    "clone3": (
        RAW + "import struct; a = struct.pack('8Q', 0, 0, 0, 0, 17, 0, 0, 0)\n"
        "if (r := libc.syscall(435, a, len(a))) == 0: libc._exit(0)\nassert r > 0, 'refused'"
    ),
}

SIGNALS = {
    "kill": "import os, signal; os.kill(os.getppid(), signal.SIGUSR1)",
    "pidfd": RAW
    + "import os\np = libc.syscall(434, os.getppid(), 0)\nassert libc.syscall(424, p, 10, 0, 0) == 0, 'refused'",
    "owner of a pipe": (
        "import fcntl, os, signal; r, w = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\n"
        "fcntl.fcntl(r, 10, signal.SIGUSR1); fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC); os.write(w, b'x')"
    ),
    "owner of a socket": (
        "import fcntl, os, signal, socket, struct; a, b = socket.socketpair()\n"
        "fcntl.ioctl(a, 0x8901, struct.pack('i', os.getppid())); fcntl.fcntl(a, 10, signal.SIGUSR1)\n"
        "fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC); b.send(b'x')"
    ),
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)",
}

LIMITS = {
    "own limits": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))",
    "anonymous file": "import os; os.memfd_create('x')",
    "shared memory": "from multiprocessing.shared_memory import SharedMemory; SharedMemory(create=True, size=9).unlink()",
    "wide pipe": "import fcntl, os; fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
    "reserved disk": RAW
    + "import os; assert libc.fallocate(os.open('f', 66), 0, ctypes.c_long(0), ctypes.c_long(9)) == 0, 'refused'",
    "written through a map": (
        "import mmap, os; f = os.open('f', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4096); mmap.mmap(f, 4096)[0] = 1"
    ),
    "watch": RAW + "assert libc.inotify_init() >= 0, 'refused'",
    "many pipes": "import os; x = [os.pipe() for _ in range(100)]",
    "file lock": "import fcntl; fcntl.flock(open('f', 'w'), fcntl.LOCK_EX)",
}

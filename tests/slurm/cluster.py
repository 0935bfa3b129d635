"""A Slurm of one's own on this machine: two nodes of one processor each, a munge with a key of its own. Root only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "runuser")
CONF = """\
ClusterName=distill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd_%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=30
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1 RealMemory=6000 State=UNKNOWN
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1 RealMemory=6000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no cluster here; None where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "its daemons are started as root"


@contextmanager
def cluster() -> Iterator[Path]:
    """The path of its `slurm.conf`, until the daemons are ended."""
    folder = Path(tempfile.mkdtemp(prefix="distill-slurm-"))  # not pytest's, which munge's own user may not enter
    folder.chmod(0o755)
    (folder / "state").mkdir()
    munge = folder / "munge"
    munge.mkdir()
    (munge / "key").write_bytes(os.urandom(128))
    (munge / "key").chmod(0o400)
    for path in (munge, munge / "key"):
        shutil.chown(path, "munge", "munge")
    conf = folder / "slurm.conf"
    host = os.uname().nodename
    conf.write_text(CONF.format(host=host, folder=folder, **_ports("port", "first", "second")))
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    places = [f"--{name}={munge / file}" for name, file in files.items()]
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin", "SLURM_CONF": str(conf)}
    try:
        for command in (
            ["runuser", "-u", "munge", "--", "munged", *places],
            ["slurmctld"],
            ["slurmd", "-N", "one"],
            ["slurmd", "-N", "two"],
        ):
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        until = time.monotonic() + 60
        ask = ["sinfo", "-h", "-o", "%T"]
        while "idle" not in subprocess.run(ask, env=environment, capture_output=True, text=True, check=False).stdout:
            assert time.monotonic() < until, (folder / "slurmctld.log").read_text()
            time.sleep(0.5)
        yield conf
    finally:
        subprocess.run(["scancel", "--user=root", "--full"], env=environment, check=False, timeout=60)
        for pid in (*folder.glob("slurmd_*.pid"), folder / "slurmctld.pid", munge / "pid"):
            if pid.exists():
                os.kill(int(pid.read_text()), signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


def _ports(*names: str) -> dict[str, int]:
    """Free ones."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in names}
        return {name: one.getsockname()[1] for name, one in sockets.items()}

"""How a stage gets its processes: here, in one of its own, or through accelerate; and that it got what was asked for.

distill run            -> start(node) -> [accelerate launch --config_file X] -m distill.launch NODE … -> worker
accelerate launch … scripts/train.py RECIPE -> stage_main("train") -> worker
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from distill import tracking
from distill.artifacts import Artifact
from distill.context import Ranks
from distill.errors import DistillError, LaunchError, StageError, StoppedError
from distill.passing import die_with_parent, passed_on, prepare_launcher
from distill.train.signals import LISTENING
from distill.workspace import Workspace, reopen
from distill.yaml_errors import place, problem

USER_ERROR = 2
"""Exit status after a DistillError, which the worker has already printed."""
PATIENCE = timedelta(hours=2)
"""How long a rank waits for another before it is given up."""
CONFIG = "DISTILL_ACCELERATE_CONFIG"
PARENT = "DISTILL_RUN"
"""Process id of the run that a worker belongs to."""
SAID = "DISTILL_SAID"
"""File that a worker touches when it ends with an error of its own: without it, it was killed. After a signal it holds
its number."""
AGAIN = "the same command again: finished stages, every answer and every checkpoint so far are kept"
SIGNALLED = 128
"""Above it the status of a program, and below 0 that of our own child, is the number of the signal that killed it."""
GRACE = "120"
"""Seconds that torchrun leaves its processes between a signal to stop and the end: a step and a checkpoint long."""
COUNTS = ("num_processes", "num_machines")
SHIPPED = "accelerate_configs/ has one for each kind of machine, and `accelerate config` writes others"
SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""Kinds that accelerate quietly replaces by plain data parallelism where it cannot have them."""


def start(workspace: Workspace, name: str) -> Artifact:
    """Make a node in processes of its own, as `runtime.launch` says, and return what they made.

    Raises:
        StageError: the process ended with an error that it printed, or was killed.
    """
    launch = workspace.planned[name].node.launch
    config = workspace.recipe.runtime.launch.get(launch or "")
    arguments = [name, workspace.planned[name].key, str(workspace.run_folder), str(workspace.cache)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", GRACE)
    if config is None:
        command = [sys.executable, "-m", "distill.launch", *arguments]
    else:
        path = find_config(config, workspace.base)
        environment |= {CONFIG: str(path), **on_cpu(path)}
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(path), "--quiet"]
        command = [*launcher, "-m", "distill.launch", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        said, listening = Path(folder) / "said", Path(folder) / "listening"
        listening.mkdir()
        environment |= {SAID: str(said), PARENT: str(os.getpid()), LISTENING: str(listening)}
        process = subprocess.Popen(command, env=environment, process_group=0, preexec_fn=prepare_launcher)  # noqa: PLW1509
        with passed_on(process, listening) as came:
            status = process.wait()
        if number := _signal(said, came):
            raise StoppedError(number, f"stopped by {signal.Signals(number).name}", where=name, hint=AGAIN)
        if status == 0 and (artifact := workspace.find(name)) is not None:
            return artifact
        raise _stopped(name, status, said.exists())


def _signal(said: Path, came: Sequence[int]) -> int | None:
    """What ended a stage, if it was a signal to the run or one that its processes heard themselves."""
    if came:
        return came[0]
    told = said.read_text(encoding="utf-8") if said.exists() else ""
    return int(told) if told else None


def _stopped(name: str, status: int, said: bool) -> StageError:
    again = f"mend it and run {AGAIN}"
    if said:
        return StageError("stopped, see above", where=name, hint=again)
    memory = "if the system ran out of memory, lower runtime.batch_tokens or runtime.per_device_batch"
    if 0 <= status <= SIGNALLED:
        # A launcher between us and the worker turns the signal that killed it into a status of its own, and says so.
        return StageError(f"ended with exit status {status}, see above", where=name, hint=f"{again}; {memory}")
    return StageError(f"its process was killed (exit status {status})", where=name, hint=f"{memory}; {again}")


def find_config(name: str, base: Path) -> Path:
    """An accelerate configuration by path, or by bare name among those that ship with distill.

    Raises:
        LaunchError: there is none; the message lists those there are.
    """
    folders = [
        Path("accelerate_configs"),
        Path(__file__).parents[1] / "accelerate_configs",
        Path(__file__).parent / "accelerate_configs",
    ]
    candidates = [Path(name), base / name, *(folder / f"{name}.yaml" for folder in folders)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise LaunchError(
        f"no accelerate configuration {name!r}",
        where="runtime.launch",
        hint=f"give a path, or one of: {', '.join(known)}",
    )


def on_cpu(config: Path) -> dict[str, str]:
    """For a CPU configuration: what accelerate does not pass on to torchrun, and all cores (alone it takes one)."""
    asked = read_config(config)
    if not asked.get("use_cpu"):
        return {}
    per_machine = max(1, int(asked.get("num_processes", 1)) // max(1, int(asked.get("num_machines", 1))))
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // per_machine)))
    return {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": threads}


def read_config(path: Path) -> dict[str, Any]:
    """An accelerate configuration as it stands in its file.

    Raises:
        LaunchError: it cannot be read, or is none; names the file, and the line where one is at fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LaunchError(f"cannot be read: {problem(error)}", where=place(error, path), hint=SHIPPED) from error
    if not isinstance(value, dict):
        raise LaunchError("is not an accelerate configuration, which is a mapping", where=str(path), hint=SHIPPED)
    for name in COUNTS:
        if value.get(name) is not None and not str(value[name]).isdecimal():
            lines = enumerate(text.splitlines(), 1)
            line = next(number for number, said in lines if name in said.partition("#")[0])
            raise LaunchError(f"{name} is {value[name]!r}, no whole number", where=f"{path}:{line}", hint=SHIPPED)
    return value


# --- inside the processes of a stage ---------------------------------------------------------------------------------


def ranks() -> Ranks:
    """This process's place among the stage's processes, checked against the configuration that started them.

    Raises:
        LaunchError: another number or kind of processes than the configuration asked for.
    """
    asked = asked_for()
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        if asked is not None:
            _check(*asked, started=1, kind="NO")
        return Ranks()
    import torch
    from accelerate import PartialState

    cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" or not torch.cuda.is_available()
    state = PartialState(cpu=cpu, timeout=PATIENCE)
    if asked is not None:
        # On processors accelerate does not shard; a training sees to it itself, by version 2 (train/sharding.py).
        sharded = os.environ.get("ACCELERATE_USE_FSDP") == "true" and (not cpu or os.environ.get("FSDP_VERSION") == "2")
        kind = "FSDP" if sharded else str(state.distributed_type.value)
        _check(*asked, started=state.num_processes, kind=kind)
    return Ranks(state.process_index, state.num_processes)


def asked_for() -> tuple[dict[str, Any], str] | None:
    """The configuration behind this process and its name; None where it was started plainly."""
    if CONFIG in os.environ:
        return read_config(Path(os.environ[CONFIG])), os.environ[CONFIG]
    try:
        import psutil

        words = psutil.Process(os.getppid()).cmdline()
    except (ImportError, OSError):
        return None
    if not any("accelerate" in word for word in words[:3]) or "launch" not in " ".join(words[:4]):
        return None
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config_file", "--config-file")
    parser.add_argument("--num_processes", "--num-processes", type=int)
    known, _ = parser.parse_known_args(words)
    asked = read_config(Path(known.config_file)) if known.config_file else {}
    if known.num_processes is not None:
        asked["num_processes"] = known.num_processes
    return (asked, shlex.join(words[1:8])) if asked else None


def _check(asked: dict[str, Any], source: str, started: int, kind: str) -> None:
    wanted = int(asked.get("num_processes") or 1)
    if wanted != started:
        hint = "on CPU take accelerate_configs/multi_cpu.yaml: accelerate starts one process for --cpu and MULTI_CPU"
        raise LaunchError(f"{wanted} processes were asked for, {started} started", where=source, hint=hint)
    wanted_kind = str(asked.get("distributed_type", "NO")).upper()
    if wanted_kind in SHARDED and kind.upper() != wanted_kind:
        hint = "it needs GPUs; on this machine take accelerate_configs/cpu.yaml or multi_cpu.yaml"
        raise LaunchError(f"{wanted_kind} was asked for, {kind} is what started", where=source, hint=hint)


def make(workspace: Workspace, name: str, quiet: bool = False) -> None:
    """Make a node, and before it whatever light nodes it needs, on all ranks together.

    However a rank was started, it comes by here, so that all wait for each other at the same places.
    """
    for need in _owed(workspace, name):
        make(workspace, need, quiet)
    artifact, made = workspace.make(name)
    if made:
        tracking.hand_over(workspace, name, artifact)
    if workspace.ranks.main and not quiet:
        workspace.link(name, artifact)
        workspace.context.say(f"  {name:18} {'made' if made else 'nothing to do'}  {artifact.path}")


def prepare(workspace: Workspace, names: Collection[str], rank: int) -> None:
    """Make the light nodes that some nodes need, in one process, before the processes know each other.

    So nobody waits in a collective, which has a limit, however long the tokens of many rows take. The other processes
    wait for the folder; where a node of a stage before this one is missing nobody waits, and `make` says which.
    """
    wanted = {need for name in names for need in _light(workspace, name)}
    for node in workspace.nodes:
        if node.name in wanted and all(workspace.find(need) for need in node.needs):
            while workspace.find(node.name) is None:
                if rank == 0:
                    make(workspace, node.name)
                else:
                    time.sleep(1)


def _light(workspace: Workspace, name: str) -> Iterator[str]:
    """What a node needs that has no processes of its own, and what that needs."""
    for need in workspace.planned[name].node.before:
        if workspace.planned[need].node.launch is None:
            yield need
            yield from _light(workspace, need)


def _owed(workspace: Workspace, name: str) -> Iterator[str]:
    """Light nodes that must be made before a node: those that are missing, and what those that are there had to come after.
    Tokens that were made under other limits of the guard do not let a training past it."""
    planned = workspace.planned
    for need in planned[name].node.before:
        if planned[need].node.launch is None:
            gates = planned[need].node.after
            yield from [need] if _missing(workspace, need) else [one for one in gates if _missing(workspace, one)]


def _missing(workspace: Workspace, name: str) -> bool:
    return workspace.ranks.gather([workspace.find(name) is None])[0]


def part() -> None:
    """Leave the group of processes, where there is one: threads of gloo that nobody joined abort a process at its end."""
    dist = sys.modules.get("torch.distributed")
    if dist is not None and dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def guarded(work: Callable[[], None]) -> int:
    """Run it; a DistillError is printed without a traceback and becomes exit status 2."""
    try:
        work()
        part()
    except StoppedError as error:
        if os.environ.get("RANK", "0") == "0":
            print(f"\n{error}", file=sys.stderr)
        _note_end(str(error.number))
        return error.status
    except DistillError as error:
        said = str(error) if isinstance(error, StageError) else f"{type(error).__name__}: {error}"
        rank = os.environ.get("RANK", "0")
        # All ranks tend to fail alike: the first says it whole, the others in a line.
        print(f"\n{said}" if rank == "0" else f"rank {rank}: {said.splitlines()[0]}", file=sys.stderr)
        _note_end()
        return USER_ERROR
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        traceback.print_exc()
        _note_end()
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _note_end(number: str = "") -> None:
    if SAID in os.environ:
        Path(os.environ[SAID]).write_text(number, encoding="utf-8")


def _work(node: str, key: str, run: Path, cache: Path, alone: bool) -> None:
    here = reopen(run, cache)
    planned = here.planned[node].key
    if planned != key:
        hint = "distill, the recipe or its data changed while the run was going on: run the same command again"
        raise LaunchError(f"key {key} was asked for, this process plans {planned}", where=node, hint=hint)
    if alone:  # a run has made them already
        prepare(here, [node], int(os.environ.get("RANK", "0")))
    make(replace(here, ranks=ranks()), node, quiet=not alone)


def main() -> int:
    """The worker that `start` and jobs of a cluster start: one node."""
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which the launcher lets pass by
    if PARENT in os.environ and not Path("/proc", os.environ[PARENT]).exists() and sys.platform == "linux":
        return 1  # the run was killed before this process could ask to die with it
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--alone", action="store_true", help="no run waits for it: it links and says what it made itself"
    )
    parser.add_argument("node")
    parser.add_argument("key")
    parser.add_argument("run", type=Path)
    parser.add_argument("cache", type=Path)
    options = parser.parse_args()
    status = guarded(lambda: _work(options.node, options.key, options.run, options.cache, options.alone))
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    raise SystemExit(main())

"""llama.cpp for real: started, asked, killed, mended, stopped; on this machine and on the nodes of a Slurm job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from distill.context import Context, Ranks, Resolved
from distill.engines.serving.fleet import Fleet, Served
from distill.errors import EngineError
from distill.start import Start
from tests.engines.serving.asking import ask
from tests.engines.serving.keep import alive, soon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
T = TypeVar("T")


def fleet(source: Resolved, cache: Path, **start: Any) -> Fleet:
    spec = Start.model_validate({"kind": "llama_cpp", "args": ["--threads", 1, "--ctx-size", 1024], **start})
    return Fleet(spec, (), source, "smol", Context(cache, {}))


def servers(cache: Path) -> list[int]:
    """Processes that serve out of a cache's logs."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = (path / "cwd").resolve()
        except OSError:
            continue
        if here.is_relative_to(cache / "logs") and alive(int(path.name)):
            found.append(int(path.name))
    return found


def test_it_draws_as_it_is_asked_to(llama: Served) -> None:
    drawn = [ask(llama, seed=seed) for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1
    assert ask(llama, seed=1, temperature=0) == ask(llama, seed=2, temperature=0)


def test_it_wants_the_key(llama: Served) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(replace(llama, key="another"))


def test_a_server_that_is_killed_comes_back_at_its_address_and_ends_with_the_fleet(
    smol: Resolved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = fleet(smol, tmp_path, restarts=1)
    try:
        served = started.open()
        assert started.open() is served
        (first,) = servers(tmp_path)
        os.kill(first, signal.SIGKILL)

        def answers() -> bool:
            started.check()
            try:
                return bool(ask(served))
            except OSError:
                return False

        assert soon(answers, 120)
        (second,) = servers(tmp_path)
        os.kill(second, signal.SIGKILL)

        def hopeless() -> bool:
            try:
                started.check()
            except EngineError as error:
                return "killed by signal 9" in str(error) and "listening" in str(error)
            return False

        assert second != first and soon(hopeless)
        assert "1 of 1 restarts" in capsys.readouterr().err
    finally:
        started.close()
    assert not servers(tmp_path)
    with pytest.raises(OSError, match=r"refused|reset"):
        ask(served)


def test_a_model_that_cannot_be_loaded_is_an_error_with_the_servers_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(EngineError, match=r"before it was ready(?s:.)*failed to load model(?s:.)*mend what the log"):
        fleet(Resolved("broken", tmp_path / "broken.gguf", "r"), tmp_path).open()
    assert not servers(tmp_path)


def test_time_to_get_ready_is_bounded(smol: Resolved, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"not ready after 0\.1 s"):
        fleet(smol, tmp_path, ready_within=0.1).open()
    assert not servers(tmp_path)


def test_nothing_outlives_a_stage_that_is_killed(smol: Resolved, tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from distill.context import Context, Resolved
from distill.engines.serving.fleet import Fleet
from distill.start import Start
source, context = Resolved("smol", Path({str(smol.path)!r}), "r"), Context(Path({str(tmp_path)!r}), {{}})
print(Fleet(Start(kind="llama_cpp", args=("--threads", 1)), (), source, "smol", context).open(), flush=True)
sys.stdin.read()
"""
    stage = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert stage.stdout is not None and stage.stdout.readline()
    assert len(servers(tmp_path)) == 1
    stage.kill()
    stage.wait()
    assert soon(lambda: not servers(tmp_path))


class Told(Ranks):
    """A rank that is told what the first one found."""

    def __init__(self, said: object) -> None:
        super().__init__(1, 2)
        object.__setattr__(self, "said", said)

    def gather(self, items: Sequence[T]) -> list[T]:
        assert not items
        return [self.said]  # type: ignore[attr-defined]


def test_other_ranks_start_none_and_are_told(smol: Resolved, tmp_path: Path) -> None:
    found = Served(("http://127.0.0.1:1/v1",), "smol", "k")
    assert Fleet(Start(kind="llama_cpp"), (), smol, "smol", Context(tmp_path, {}, ranks=Told(found))).open() is found
    failed = Fleet(Start(kind="llama_cpp"), (), smol, "smol", Context(tmp_path, {}, ranks=Told(EngineError("no GPU"))))
    with pytest.raises(EngineError, match="no GPU"):
        failed.open()
    assert not servers(tmp_path)


# --- Slurm: its two programs in front of the real keeper and the real server ----------------------------------------------

SRUN = """#!/bin/sh
echo "$@" >> "$SLURM_TEST/srun"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/sh
[ "$1 $2 $3" = "show hostnames localhost,127.0.0.1" ] && printf 'localhost\\n127.0.0.1\\n'
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of two nodes, which are both this machine."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "localhost,127.0.0.1")
    monkeypatch.setenv("SLURM_TEST", str(tmp_path))
    return tmp_path / "srun"


def test_every_node_of_a_slurm_job_serves(smol: Resolved, tmp_path: Path, slurm: Path) -> None:
    started = fleet(smol, tmp_path, nodes="slurm")
    try:
        served = started.open()
        assert [address.split("//")[1].split(":")[0] for address in served.addresses] == ["localhost", "127.0.0.1"]
        assert all(ask(replace(served, addresses=(address,))) for address in served.addresses)
        assert len(servers(tmp_path)) == 2
        listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True).stdout
        for address in served.addresses:
            port = int(address.split(":")[2].removesuffix("/v1"))
            assert f"00000000:{port:04X}" in listening  # other nodes reach it
    finally:
        started.close()
    calls = slurm.read_text().splitlines()
    assert all(
        call.startswith("--overlap --nodes=1 --ntasks=1 --nodelist=") and served.key not in call for call in calls
    )
    assert len(calls) == 2 and not servers(tmp_path)


def test_a_node_that_fails_ends_the_wait_for_the_others(smol: Resolved, tmp_path: Path, slurm: Path) -> None:
    slow = "case $* in *nodelist=localhost*) exec cat >&2;; *) exit 3;; esac"
    (slurm.parent / "bin" / "srun").write_text(f"#!/bin/sh\n{slow}\n")
    with pytest.raises(EngineError, match=r"on 127\.0\.0\.1 is given up: its keeper ended \(exit status 3\)"):
        fleet(smol, tmp_path, nodes="slurm").open()


def test_outside_of_a_job_there_are_no_nodes(smol: Resolved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_NODELIST", raising=False)
    with pytest.raises(EngineError, match="outside of a Slurm job"):
        fleet(smol, tmp_path, nodes="slurm").open()

"""A node's servers: groups of GPUs, crashes, and that nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.serving.keep import alive, keep, soon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_one_server_for_each_group_of_gpus(tmp_path: Path) -> None:
    with keep(tmp_path, gpus=2, environment={"CUDA_VISIBLE_DEVICES": "4,5,6,7"}) as kept:
        addresses = sorted((event := kept.next())["address"] for _ in range(2))
        assert event["of"] == 2 and len(set(addresses)) == 2
        given = [kept.given(address) for address in addresses]
    assert {each["environment"]["CUDA_VISIBLE_DEVICES"] for each in given} == {"4,5", "6,7"}
    assert not any("ON_CPU" in each["environment"] or "on-cpu" in each["words"] for each in given)


def test_without_gpus_there_is_one_server_on_the_processors(tmp_path: Path) -> None:
    with keep(tmp_path, environment={"CUDA_VISIBLE_DEVICES": ""}) as kept:
        event = kept.next()
        given = kept.given(event["address"])
    environment = given["environment"]
    assert (event["of"], environment["CUDA_VISIBLE_DEVICES"], environment["ON_CPU"]) == (1, "-1", "yes")
    assert given["words"][5:] == ["on-cpu"]


@pytest.mark.parametrize(("gpus", "servers"), [(4, None), (1, 3), (2, 2)])
def test_gpus_that_are_not_there_are_a_failure(tmp_path: Path, gpus: int, servers: int | None) -> None:
    with keep(tmp_path, gpus=gpus, servers=servers, environment={"CUDA_VISIBLE_DEVICES": "0,1"}) as kept:
        assert "2 are visible there" in kept.next()["failed"]
        assert kept.process.wait(30) == 1


def test_the_key_is_in_the_environment_or_a_private_file_and_on_no_command_line(tmp_path: Path) -> None:
    with keep(tmp_path, key_env=None, key_file="api-key: {key}\n") as kept:
        event = kept.next()
        given = kept.given(event["address"])
        secret = Path(given["words"][4])
        assert given["secret"] == "api-key: very-secret\n" and secret.stat().st_mode & 0o77 == 0
        command_lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (given["pid"], kept.process.pid)]
    assert not any("very-secret" in line for line in [*command_lines, Path(event["log"]).read_text()])
    assert not secret.exists()
    with keep(tmp_path) as kept:
        assert kept.given(kept.next()["address"])["environment"]["THE_KEY"] == "very-secret"


def test_a_launchers_variables_are_kept_from_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    with keep(tmp_path, environment={"MINE": "1"}) as kept:
        given = kept.given(kept.next()["address"])["environment"]
    assert given["MINE"] == "1" and "WORLD_SIZE" not in given


def test_one_that_ends_before_it_is_ready_is_a_failure_with_its_first_error_and_last_lines(tmp_path: Path) -> None:
    with keep(tmp_path, "crash") as kept:
        failed = kept.next()["failed"]
    assert "exit status 7" in failed and "first error: ValueError: no memory for it" in failed
    assert failed.count("  | line") == 20 and "line 39" in failed and ".log" in failed


def test_a_crash_is_mended_at_the_same_address_so_often_as_was_said(tmp_path: Path) -> None:
    with keep(tmp_path, restarts=1) as kept:
        first = kept.next()
        given = kept.given(first["address"])
        kept.die(first["address"])
        again = kept.next()
        assert soon(lambda: not alive(given["worker"]))  # it would hold the memory that the next one needs
        assert (again["again"], again["of"], again["how"]) == (1, 1, "exit status 9")
        second = kept.next()
        assert second["address"] == first["address"] and second["pid"] != first["pid"]
        kept.die(first["address"])
        assert "after 1 restarts" in kept.next()["failed"]
        assert kept.process.wait(30) == 1
    assert soon(lambda: not alive(given["child"]))


def test_the_end_of_the_order_ends_servers_and_orphans(tmp_path: Path) -> None:
    with keep(tmp_path, servers=2, gpus=0) as kept:
        given = [kept.given(kept.next()["address"]) for _ in range(2)]
        assert all(alive(each[name]) for each in given for name in ("pid", "child", "worker"))
        assert kept.close() == 0
    assert not any(alive(each[name]) for each in given for name in ("pid", "child", "worker"))


def test_whoever_gave_the_order_may_be_killed(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from tests.engines.serving.keep import Kept
kept = Kept(Path({str(tmp_path)!r}), (), {{}})
print(kept.process.pid, kept.next()["address"].rpartition(":")[2], flush=True)
if "fork" in sys.argv:
    import os, time
    if os.fork() == 0:  # holds the pipe open, as a worker of a data loader would
        print(os.getpid(), flush=True)
        time.sleep(600)
sys.stdin.read()
"""
    for more in ([], ["fork"]):
        stage = subprocess.Popen(
            [sys.executable, "-c", code, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert stage.stdout is not None
        keeper, port = map(int, stage.stdout.readline().split())
        holder = int(stage.stdout.readline()) if more else None
        given = json.loads((tmp_path / f"{port}.json").read_text())
        stage.kill()
        stage.wait()
        assert soon(lambda keeper=keeper, given=given: not any(map(alive, (keeper, given["pid"], given["child"]))))  # type: ignore[misc]
        if holder:
            os.kill(holder, signal.SIGKILL)


def test_a_keeper_that_is_killed_takes_its_servers_along(tmp_path: Path) -> None:
    with keep(tmp_path) as kept:
        given = kept.given(kept.next()["address"])
        kept.process.kill()
        assert soon(lambda: not alive(given["pid"]))
        for name in ("child", "worker"):  # nobody is left to find them: docs/servers.md says so
            os.kill(given[name], signal.SIGKILL)

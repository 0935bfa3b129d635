"""SIGKILL of who asks or of who answers: the same command goes on, and no answer that was kept is asked again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from distill.context import Context, Runtime
from distill.engines.open import open_engine
from distill.engines.server import Server
from distill.sources.references import resolve
from tests.conftest import SMOL
from tests.engines.faults.asking import MOST, ask, questions, stored
from tests.engines.faults.conftest import Llama
from tests.engines.faults.proxy import proxying
from tests.engines.faults.test_faults import LONG, check
from tests.engines.serving.test_fleet import servers

ROOT = Path(__file__).parents[3]
KILLS = 3
AWAY = 2.0
"""Seconds until somebody starts the server that was killed."""
PATIENCE = 8
"""Attempts: two minutes of pauses, in which a server starts on any machine."""
SIZES = [
    pytest.param(40, id="few", marks=pytest.mark.slow),
    pytest.param(2000, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("count", SIZES)
def test_a_client_that_is_killed_loses_what_was_in_flight_at_most(
    llama: str, timeout: float, tmp_path: Path, count: int
) -> None:
    rng = random.Random(17)
    with proxying(llama) as proxy:
        kept = []
        for _ in range(KILLS):
            told = ask_and_die(proxy.address, tmp_path, count, timeout, rng.randrange(count // 10, count // 4))
            known = stored(tmp_path)
            assert told <= known.keys(), "an answer was given before it was kept"
            kept.append((known, proxy.asked))
        answers = list(ask(proxy.address, tmp_path, count, timeout=timeout))
        numbers = {request.key: number for number, request in enumerate(questions(count))}
        for known, asked in kept:
            again = [key for key in known if proxy.asked[numbers[key]] != asked[numbers[key]]]
            assert not again, "what was kept was asked again"
        check(proxy, answers, count, interrupted=True)
        assert sum(len(each) - 1 for each in proxy.passed.values()) <= KILLS * MOST
        assert stored(tmp_path).keys() == {each.request for each in answers if each.finish != "error"}


def ask_and_die(address: str, cache: Path, count: int, timeout: float, after: int) -> set[str]:
    """Keys of what a process said was answered, which was killed after so many new answers."""
    command = [sys.executable, "-m", "tests.engines.faults.asking", address, str(cache), str(count), str(timeout)]
    told, new = set(), 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            answer = json.loads(line)
            if answer["finish"] != "error":
                told.add(answer["request"])
                new += not answer["stored"]
            if new == after:
                process.kill()
                break
        else:
            raise AssertionError("it ended before it was killed")
    return told


@pytest.mark.parametrize("count", SIZES)
def test_a_server_that_is_away_for_a_while_behind_a_gateway(
    mortal: Llama, timeout: float, tmp_path: Path, count: int
) -> None:
    with proxying(mortal.address) as proxy:
        answers = []
        for answer in ask(proxy.address, tmp_path, count, timeout=timeout, attempts=PATIENCE):
            answers.append(answer)
            if len(answers) == count // 2:
                mortal.kill()
                threading.Timer(AWAY, mortal.start).start()
        assert proxy.dealt["gone"] > 0
        check(proxy, answers, count)
        assert stored(tmp_path) == {each.request: each for each in answers if each.finish != "error"}


@pytest.mark.parametrize("count", SIZES)
def test_a_server_that_is_away_for_a_while_costs_no_request(mortal: Llama, tmp_path: Path, count: int) -> None:
    answers = []
    for answer in ask(mortal.address, tmp_path, count, timeout=LONG, attempts=PATIENCE):
        answers.append(answer)
        if len(answers) == count // 2:
            mortal.kill()
            threading.Timer(AWAY, mortal.start).start()
    assert Counter(each.request for each in answers) == Counter(each.key for each in questions(count))
    assert [each.error for each in answers if each.finish == "error"] == []
    assert stored(tmp_path) == {each.request: each for each in answers}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("count", SIZES)
def test_a_server_of_ours_that_is_killed_is_started_again(tmp_path: Path, count: int) -> None:
    start = {"kind": "llama_cpp", "restarts": 2, "args": ["--threads", 1, "--threads-batch", 1, "--ctx-size", 4096]}
    runtime = Runtime.model_validate({"server": {"start": start, "concurrency": MOST}})
    smol = resolve(SMOL, "model", tmp_path, tmp_path, tmp_path)
    engine = open_engine(Server(), "smol", Context(tmp_path, {"smol": smol}, runtime))
    killed: set[int] = set()
    answers = []
    try:
        for answer in engine.generate(questions(count)):
            answers.append(answer)
            if len(answers) in (count // 3, 2 * count // 3):
                killed.update(mine := servers(tmp_path))
                for pid in mine:
                    os.kill(pid, signal.SIGKILL)
    finally:
        engine.close()
    assert len(killed) == 2 and not servers(tmp_path)
    assert Counter(each.request for each in answers) == Counter(each.key for each in questions(count))
    assert [each.error for each in answers if each.finish == "error"] == []
    assert stored(tmp_path) == {each.request: each for each in answers}

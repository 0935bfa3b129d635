"""`transformers serve` for real, with a small random model: it is told how to draw by the question alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.context import Context, Resolved
from distill.engines.serving.fleet import Fleet, Served
from distill.start import Start
from tests.engines.serving.asking import ask


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    start = Start(kind="transformers", environment={"OMP_NUM_THREADS": "1"})
    context = Context(tmp_path_factory.mktemp("served"), {})
    fleet = Fleet(start, (), Resolved("tiny", tiny_model, "r"), "tiny", context)
    yield fleet.open()
    fleet.close()


def test_it_draws_as_it_is_asked_to(served: Served) -> None:
    drawn = [ask(served, seed=seed) for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1
    greedy = {ask(served, seed=seed, temperature=0) for seed in (1, 2)}
    assert len(greedy) == 1


def test_it_is_asked_by_the_path_of_what_it_serves(served: Served) -> None:
    assert Path(served.model, "config.json").is_file()

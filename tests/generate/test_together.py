"""Courses of asking side by side: what goes out together, what each gets back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from distill.generate.author import Unusable
from distill.generate.together import together


def ask(*questions: Any, fail: bool = False) -> Generator[Any, Any, list[Any]]:
    got: list[Any] = []
    for question in questions:
        got += [(yield question)]
    if fail:
        raise Unusable("no_use", "at all")
    return got


def test_what_each_asks_next_goes_out_at_once() -> None:
    course = together([ask("a", ("b", "c")), ask(), ask("d", fail=True), ask(("e",), "f", "g")])
    waves, wave = [], next(course)
    try:
        while True:
            waves.append(wave)
            wave = course.send([one.upper() for one in wave])
    except StopIteration as stop:
        results = stop.value
    assert waves == [("a", "d", "e"), ("b", "c", "f"), ("g",)]
    assert results[0] == ["A", ["B", "C"]] and results[1] == [] and results[3] == [["E"], "F", "G"]
    assert isinstance(results[2], Unusable) and results[2].reason == "no_use"


def test_none_at_all() -> None:
    with pytest.raises(StopIteration) as stop:
        next(together([]))
    assert stop.value.value == []

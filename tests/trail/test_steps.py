"""What an artifact was made from, found by what its manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distill.artifacts import MANIFEST, handed_on, key_of
from distill.trail.steps import _upward
from distill.trail.verify import _keys


def made(cache: Path, node: str, **described: Any) -> tuple[Path, dict[str, Any]]:
    identity = {"node": node, "spec": {}, "upstream": {}, **described}
    said = {"node": node, "key": key_of(identity), "identity": identity}
    (folder := cache / f"{node}-{said['key']}").mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps(said))
    return folder, said


def test_items_are_found_by_what_they_hand_on(tmp_path: Path) -> None:
    """Of two that differ in names alone the run's may be another one than was there when the rest was made."""
    suites, told = made(tmp_path, "suites", handed="0123456789ab")
    made(tmp_path, "suites", handed="ffffffffffff")
    mix, said = made(tmp_path, "mix", upstream={"suites": handed_on(told["identity"])})
    assert list(_upward(mix)) == [suites, mix]
    assert list(_keys({"0-suites": told, "3-mix": said})) == []
    assert [
        fault.what
        for fault in _keys({"0-suites": {**told, "identity": {**told["identity"], "handed": "f"}}, "3-mix": said})
    ][-1:] == ["made from another"]

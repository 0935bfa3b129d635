"""What filters ask of models is on the bill of their stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from distill.context import Runtime
from distill.endpoint import Endpoint, Price
from distill.engines import teacher
from distill.engines.server import Server
from distill.engines.teacher import Teacher
from distill.filter.bindings import Bindings, FilterSpec
from distill.filter.opener import Opener
from distill.protocols import KEEP, Filter, Request, Sampling, Scope, Verdict
from distill.rows import Row
from tests.evaluate.fakes import FakeEngine
from tests.filter.make import chat
from tests.filter.test_stage import folders, go, spec


class Asking(FilterSpec):
    """Asks a model about every row, twice, and drops nothing."""

    kind: Literal["asking"] = "asking"
    asks: ClassVar[tuple[str, ...]] = ("judge",)  # type: ignore[assignment,misc]

    def bind(self, bindings: Bindings) -> Filter:
        return _Asking(bindings.open)


@dataclass
class _Asking:
    open: Opener
    kind: str = "asking"
    scope: Scope = "row"

    def judge(self, rows: Sequence[Row]) -> list[Verdict]:
        asked = [Request(row.prompt, Sampling(temperature=0)) for row in rows]
        for _ in range(2):
            assert len(list(self.open.engine("judge").generate(asked))) == len(rows)
        return [KEEP] * len(rows)


def test_what_judges_cost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "open_engine", lambda *_, **__: FakeEngine())
    judge = Teacher(model="org/judge", engine=Server())
    asking = spec(4).model_copy(update={"filter": (Asking(),), "teachers": {"judge": judge}})
    there = Endpoint(address="http://a/v1", price=Price(prompt=0, completion=1e6))
    rows = [chat(question, "so") for question in ("a", "bb", "ccc", "dddd")]
    summary, _ = go(tmp_path, asking, folders(tmp_path, rows), runtime=Runtime(server=there))
    assert summary["tokens"] == {"prompt": 10, "new": 10} and summary["money"] == 10
    summary, _ = go(tmp_path, spec(4), folders(tmp_path, rows))
    assert summary["tokens"] == {"prompt": 0, "new": 0} and summary["money"] == 0

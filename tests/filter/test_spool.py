"""Rows put by on the disk come back as they were, and a full disk is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

import pytest

from distill.errors import ArtifactError
from distill.filter import spool
from distill.filter.spool import Spool
from distill.protocols import KEEP, Judged, Verdict
from tests.filter.make import chat


def test_batches_come_back_as_they_were() -> None:
    kept = Judged(chat("q", "half \ud83d").scored(judge=1.0), KEEP, "", changed=("privacy.email",))
    dropped = Judged(chat("q", "a"), Verdict(False, "too_long", 7, "why"), "length", also=("echo",))
    with Spool() as waiting:
        for batch in ([kept, dropped], [kept]):
            waiting.put(batch)
        assert list(waiting) == [[kept, dropped], [kept]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("answer", ["a", "a" * 100_000], ids=["found at the end", "found at once"])
def test_a_full_disk_is_named_as_the_one_where_rows_wait(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait() -> None:
        with Spool() as waiting:
            waiting.put([Judged(chat("q", answer), KEEP, "")])
            list(waiting)

    full = Path("/dev/full")
    monkeypatch.setattr(spool, "TemporaryFile", lambda *_, **__: full.open("w", encoding="utf-8"))
    with pytest.raises(ArtifactError, match="the disk is full") as caught:
        wait()
    assert caught.value.where == gettempdir() and "TMPDIR" in (caught.value.hint or "")

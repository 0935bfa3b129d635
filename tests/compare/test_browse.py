"""The page of rows: safe whatever rows hold, a fair sample of many, and every duplicate with what it repeats."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.compare import browse, chosen
from distill.errors import SourceError
from distill.rows import Row, to_json, to_line
from tests.compare.conftest import default_ledger, row, write_json

EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \u2028 \ud83d"


def dropped(made: Row, reason: str = "finished.truncated", evidence: str | None = None, **more: Any) -> str:
    name, _, why = reason.partition(".")
    found = {"filter": name, "reason": why, "score": 1.5, "evidence": evidence, "also": [], **more}
    return to_json({**found, "row": json.loads(to_line(made))}) + "\n"


def folder(root: Path, kept: list[Row], lost: list[str], **ledger: Any) -> Path:
    (root / "kept.jsonl").write_text("".join(map(to_line, kept)), encoding="utf-8")
    (root / "dropped.jsonl").write_text("".join(lost), encoding="utf-8")
    write_json(root / "ledger.json", {**default_ledger(), **ledger})
    return root


def read(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    rows: list[dict[str, Any]] = json.loads(found[1])
    return rows


def test_rows_are_there_with_reason_score_evidence_and_what_they_repeat(tmp_path: Path) -> None:
    keeper = row("q", "a").scored(judge=0.25)
    lost = [dropped(row("q", "A"), "near_duplicate.near_pair", keeper.id, also=["length"]), dropped(row("x", "y"))]
    shown = read(browse.render(folder(tmp_path, [keeper], lost), "a run"))
    assert [one["kept"] for one in shown] == [True, False, False]
    assert shown[0]["scores"] == {"judge": 0.25} and shown[0]["said"] == [["user", "q"], ["assistant", "a"]]
    near = {name: shown[1][name] for name in ("why", "like", "score", "also")}
    assert near == {"why": "near_duplicate.near_pair", "like": keeper.id, "score": 1.5, "also": ["length"]}
    assert shown[2]["like"] == "" and shown[2]["method"] == "answer"


def test_nothing_in_a_row_becomes_markup_and_only_our_script_may_run(tmp_path: Path) -> None:
    evil = row(EVIL, EVIL)
    lost = dropped(evil, evidence=EVIL)
    origin = {EVIL: {"source": "teacher", "rows": 1, "kept": 0, "dropped": {}}}
    page = browse.render(folder(tmp_path, [evil], [lost], by_origin=origin, overlap={EVIL: 1}), EVIL)
    assert page.count("<script") == 2 and page.count("</script") == 2 and "<img" not in page and "<!--" not in page
    assert read(page)[0]["said"][0] == ["user", EVIL]
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'" in page
    assert "innerHTML" not in script[1].partition("\n")[2].replace("no innerHTML", "")
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", page)


def test_of_many_rows_a_sample_by_id_with_every_reason_and_what_duplicates_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "MOST", 10)
    kept = [row(f"q{n}", "a") for n in range(50)]
    last = max(kept, key=lambda one: one.id)
    lost = [dropped(row(f"r{n}", "a")) for n in range(30)]
    lost.append(dropped(row("rare", "a"), "near_duplicate.near_pair", last.id))
    made = chosen.choose(folder(tmp_path, kept, lost))
    assert made.total == 81
    reasons = [one["why"] for one in made.rows if not one["kept"]]
    assert reasons.count("near_duplicate.near_pair") == 1 and reasons.count("finished.truncated") == 4
    ids = [one["id"] for one in made.rows if one["kept"]]
    assert set(ids[:-1]) == set(sorted(one.id for one in kept)[:4]) and ids[-1] == last.id
    folder(tmp_path, kept[::-1], lost[::-1])
    assert {one["id"] for one in chosen.choose(tmp_path).rows} == {one["id"] for one in made.rows}
    assert "<strong>This page shows 10 of 81 rows</strong>" in browse.render(tmp_path, "a run")


def test_a_copy_is_shown_with_the_kept_row_of_the_same_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "MOST", 4)
    kept = sorted((row(f"q{n}", "a") for n in range(9)), key=lambda one: one.id)
    copies = [dropped(kept[-1], "exact_duplicate.same_pair", kept[-1].id)] * 3
    rows = chosen.choose(folder(tmp_path, kept, copies)).rows
    assert [(one["id"], one["kept"]) for one in rows[-3:]] == [(kept[-1].id, False)] * 2 + [(kept[-1].id, True)]


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=8), st.integers(0, 100))
def test_groups_share_the_room_fairly(sizes: dict[str, int], most: int) -> None:
    level = chosen.fair(sizes, most)
    taken = sum(min(size, level) for size in sizes.values())
    assert taken == sum(sizes.values()) if sum(sizes.values()) <= most else taken <= most
    assert sum(sizes.values()) <= most or sum(min(size, level + 1) for size in sizes.values()) > most


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    (shown,) = read(browse.render(folder(tmp_path, [row("q", "x" * 10_000_000)], []), "a run"))
    assert len(shown["said"][1][1]) < 3100 and shown["said"][1][1].endswith("(9,997,000 more characters)")


def test_no_rows_at_all_and_no_filter_folder(tmp_path: Path) -> None:
    assert read(browse.render(folder(tmp_path, [], []), "a run")) == []
    with pytest.raises(SourceError, match="no rows that filters judged"):
        browse.write(tmp_path / "nowhere", "a run", tmp_path)

"""The page of a comparison, without a browser: one file that asks nothing of any network, and in which no text is markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from typing import Any

from distill.compare.runs.page import marks_of, render
from tests.compare.runs.conftest import Lines, Runs

EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \u2028 \ud83d"


def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    value: dict[str, Any] = json.loads(found[1])
    return value


def evil(lines: Lines) -> None:
    for line in lines:
        line.update(question=EVIL, answer=EVIL, reference=EVIL, found=EVIL, error=EVIL)


def test_nothing_that_models_wrote_becomes_markup_and_only_our_script_may_run(runs: Runs) -> None:
    run = runs.make("a")
    for arm in ("teacher", "base", "student"):
        runs.items(run, arm, evil)
        runs.change(run, arm, lambda manifest: manifest["summary"].update(model=EVIL))
    page = render(*runs.compare("a"))
    assert page.count("<script") == 2 and page.count("</script") == 2 and "<img" not in page and "<!--" not in page
    assert EVIL in data(page)["texts"] and data(page)["arms"][0]["origin"] == EVIL
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'" in page
    assert "innerHTML" not in script[1].replace("no innerHTML", "") and "document.write" not in script[1]
    outside = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", outside)


def test_results_differences_curves_and_notes_are_there(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4, "student@20": 2.2})
    runs.make("b", {"student": 1.8})
    comparison, found = runs.compare("a", "b")
    page = render(comparison, found)
    for label in comparison.arms:
        assert re.search(rf'<th scope="col"><span class="arm"><svg.*?</svg>{label}</span></th>', page)
    assert page.count('class="plot" ') == len(comparison.metrics) * 2 + 2  # arms and steps by metric, two losses
    assert "b − a" in page and '<td class="verdict">b better</td>' in page
    assert all(note in page for note in comparison.notes)
    assert "student at step" not in page and "a, step 20: " in page


def test_every_plot_is_whole_and_says_in_words_what_it_shows(runs: Runs) -> None:
    runs.make("a", {"student@10": 2.4})
    runs.make("b")
    page = render(*runs.compare("a", "b"))
    plots = re.findall(r'<svg class="plot" .*?</desc>.*?</svg>(?=</section>)', page, re.DOTALL)
    assert len(plots) == 24
    for plot in plots:
        tree = ET.fromstring(plot)
        assert tree.findtext("title") and len(tree.findtext("desc") or "") > 40
    names = re.findall(r' id="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_arms_keep_one_mark_in_all_places(runs: Runs) -> None:
    for name in "abcdefgh":
        runs.make(name, {"base": 2.6}, count=8)
    comparison, _ = runs.compare(*"abcdefgh")
    marks = marks_of(comparison)
    assert marks["teacher"] == "teacher" and marks["base"] == "base"
    assert [marks[label] for label in "abcdefgh"] == [f"mark-{number}" for number in (1, 2, 3, 4, 5, 6, 1, 2)]


def test_one_run_alone_has_no_differences_between_arms(runs: Runs) -> None:
    runs.make("a")
    page = render(*runs.compare("a"))
    assert 'id="differences"' not in page and "Against base and teacher" in page

"""The judge's section in every form of the report: never louder than its controls allow, and no markup of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill.compare import html, judged, markdown, stage, terminal
from distill.compare.report import Report, read_report
from distill.errors import CompareError
from tests.compare.conftest import Make, manifest
from tests.compare.test_files import EVIL, Page
from tests.judge.make import by_place, mute, perfect, right, write, wrong
from tests.judge.make import judged as by_judge

SPEC = stage.Spec(name="quickstart", use="research", primary="heldout_teacher.loss", seed=17)
With = Callable[..., Report]


@pytest.fixture
def with_judge(make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> With:
    """A report with what a judge of some taste says of a student that is right in two of three cases."""

    def make(say: Any, count: int = 90, base: Callable[[int], str] = wrong) -> Report:
        answers = {
            "student": [
                right(number, "." * (14 + number % 7)) if number % 3 else wrong(number, "." * (number % 7))
                for number in range(count)
            ],
            "base": [base(number) + "?" * (number % 8) for number in range(count)],
        }
        (tmp_path / "judge").mkdir()
        summary, _, _, _ = by_judge(write(tmp_path / "judge", answers), say, monkeypatch)
        inputs = make_run()
        inputs["judge"] = tmp_path / "cache" / "judge"
        shutil.copytree(tmp_path / "judge" / "judge", inputs["judge"])
        manifest(inputs["judge"], summary)
        return stage.build(SPEC, inputs)

    return make


def forms(report: Report) -> dict[str, str]:
    return {
        "html": html.render(report),
        "markdown": markdown.render(report),
        "terminal": terminal.table(json.loads(report.to_json())),
    }


def test_a_judge_that_passed_says_what_it_prefers(with_judge: With) -> None:
    report = with_judge(perfect)
    assert report.judge is not None and report.judge.standing == "passed"
    for name, text in forms(report).items():
        assert "The judge critic passed its controls. The student wins 83% [" in text, name
        assert "at equal length: preferred." in text and "never compared with people" in text
    page = Page(html.render(report))
    assert not page.open and all("scope" in cell for cell in page.all("th"))
    assert "evaluate.judge.labels" in forms(report)["markdown"]
    assert "| student – base | 90 | 60 | 30 | 0 | 0 | 83%" in forms(report)["markdown"]


def test_a_judge_that_cannot_be_believed_prefers_nothing(with_judge: With) -> None:
    for name, text in forms(with_judge(by_place)).items():
        assert "The judge critic cannot be believed: the sentence “Thank you" in text, name
        assert "preferred" not in text, name
    assert "! The judge critic cannot be believed" in text, "aloud on a terminal"


def test_a_judge_that_never_parses_has_no_number_and_an_example(with_judge: With) -> None:
    report = with_judge(mute)
    assert "| – | not known | – |" in markdown.render(report)
    for name, text in forms(report).items():
        assert "The judge critic gave no verdict that can be read: none of its " in text, name
        assert "merits" in text and (name == "terminal" or "<b>" not in text), "an example, and no markup"


def test_without_a_judge_nothing_is_said_of_one(make_run: Make) -> None:
    report = stage.build(SPEC, make_run())
    assert report.judge is None and json.loads(report.to_json())["judge"] is None
    for name, text in forms(report).items():
        assert "he judge" not in text, name


def test_reports_of_before_can_be_read(make_run: Make) -> None:
    value = json.loads(stage.build(SPEC, make_run()).to_json())
    del value["judge"]
    assert read_report(value).judge is None


def test_a_length_that_cannot_be_taken_out_is_said(with_judge: With) -> None:
    report = with_judge(perfect, base=lambda number: wrong(number, "?" * 50))
    assert report.judge is not None and report.judge.pairs[0].controlled is None
    for name, text in forms(report).items():
        assert "length not taken out" in text, name
    assert "the answers of base are the longer ones in all but 2 items at most" in forms(report)["markdown"]


def test_what_a_judge_says_is_no_markup(with_judge: With) -> None:
    clean = with_judge(by_place)
    value = json.loads(clean.to_json())
    value["judge"] |= {"by": EVIL, "model": EVIL, "example": EVIL, "reasons": [EVIL], "cautions": [EVIL]}
    value["judge"]["controls"][0]["meaning"] = EVIL
    value["judge"]["pairs"][0]["a"] = EVIL
    evil = read_report(value)
    page, expected = Page(html.render(evil)), Page(html.render(clean))
    assert not page.all("script") and not page.all("img") and not page.open
    assert len(page.all("td")) == len(expected.all("td"))
    assert "<script>" not in markdown.render(evil).replace("\\<script\\>", "")


def test_what_a_judge_said_must_be_of_this_version(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "judged.json").write_text('{"by": "critic"}', encoding="utf-8")
    with pytest.raises(CompareError, match="what the judge said cannot be read"):
        judged.read_judged({"judge": folder})

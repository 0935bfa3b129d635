"""report.html is one safe, accessible file of bounded size; report.md and report.json hold what they are given."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from distill.compare import html, markdown, stage
from distill.compare.report import Report, Score, read_report
from distill.errors import CompareError

Make = Callable[..., dict[str, Path]]
EVIL = "</style><script>alert(1)</script><img src=x onerror=alert(1)> ```js\n| a | b |\n\"'&"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Every element with its attributes, and whether all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def build(inputs: dict[str, Path], **changed: Any) -> Report:
    spec = {"name": "quickstart", "use": "research", "primary": "heldout_teacher.loss", "seed": 17, **changed}
    return stage.build(stage.Spec(**spec), inputs)


def poison(value: Any) -> Any:
    """The same value with evil markup at the end of every text in it."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, dict):
        return {key: poison(part) for key, part in value.items()}
    return [poison(part) for part in value] if isinstance(value, list) else value


def test_page_is_self_contained_and_well_formed(make_run: Make) -> None:
    text = html.render(build(make_run()))
    page = Page(text)
    assert not page.open and text.startswith("<!doctype html>")
    assert not page.all("script") and not page.all("img") and not page.all("iframe")
    links = [value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")]
    assert links == ["data:,", "rows.html"], "the page of rows lies beside it"
    assert "url(" not in text and "@import" not in text and "http://" not in text and "https://" not in text
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'")


def test_page_is_accessible(make_run: Make) -> None:
    text = html.render(build(make_run(arms={"teacher": 1.4, "base": 2.6, "student": 2.0, "student@20": 2.3})))
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("scope" in cell for cell in page.all("th"))
    figures = [attributes for attributes in page.all("svg") if attributes.get("class") == "plot"]
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(figures) >= 15
    for figure in figures:
        assert figure["role"] == "img"
        assert set(str(figure["aria-labelledby"]).split()) <= set(ids)


def test_light_dark_phone_and_paper_are_provided_for(make_run: Make) -> None:
    text = html.render(build(make_run()))
    assert "prefers-color-scheme: dark" in text and "@media print" in text and "max-width: 640px" in text
    assert 'name="viewport"' in text


def test_nothing_that_is_not_ours_becomes_markup(make_run: Make) -> None:
    clean = build(make_run())
    value = json.loads(clean.to_json())
    for part in ("samples", "examples", "notes", "terms", "environment", "arms", "headline", "use", "name"):
        if part == "arms":
            value["arms"]["student"]["origin"] += EVIL
            value["arms"]["student"]["decoding"] = {"x": EVIL}
        elif part == "terms":
            fixed = {name: value["terms"][name] for name in ("inputs", "forms")}
            value["terms"] = {**poison(value["terms"]), "verdict": "review", **fixed}
            value["terms"]["inputs"][0]["origin"] += EVIL
            value["terms"]["inputs"][0]["why"] = [EVIL]
        elif part == "samples":
            value["samples"]["items"] = [{**poison(item), "label": item["label"]} for item in value["samples"]["items"]]
        else:
            value[part] = poison(value[part])
    value["data"]["dropped"][f"finished.{EVIL}"] = 7
    evil = read_report(value)
    page, expected = Page(html.render(evil)), Page(html.render(clean))
    assert not page.all("script") and not page.all("img") and not page.open
    assert len(page.all("style")) == len(expected.all("style")) == 1
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]


def test_evil_arm_and_metric_names_are_escaped(make_run: Make) -> None:
    text = json.dumps(json.loads(build(make_run()).to_json())).replace('"student@', '"x@')
    value = json.loads(text)
    name = "student@<script>"
    value["arms"][name] = value["arms"]["student"]
    for metric in value["metrics"].values():
        metric["arms"][name] = metric["arms"]["student"]
        metric["checkpoints"][name] = metric["gap_recovered"]
    value["metrics"]["heldout_teacher.<script>"] = {**value["metrics"]["heldout_teacher.kl"]}
    page = Page(html.render(read_report(value)))
    assert not page.all("script") and not page.open


def test_ten_thousand_items_do_not_bloat_the_report(make_run: Make) -> None:
    small = build(make_run(count=40))
    shown = len(small.samples.items)
    many = small.model_dump()
    many["data"] |= {"requested": 10_000_000, "kept": 9_999_939}
    assert shown == 12 and len(html.render(read_report(many))) < 200_000


def test_numbers_that_are_not_finite_never_reach_the_report(make_run: Make) -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            Score(mean=bad, ci95=(0, 1), n=3)
    value = json.loads(build(make_run()).to_json())
    value["cost"]["seconds"] = math.nan
    with pytest.raises(CompareError, match=r"cost\.seconds"):
        read_report(value)


def test_report_survives_its_own_file(make_run: Make) -> None:
    report = build(make_run())
    assert read_report(json.loads(report.to_json())) == report
    assert html.render(read_report(json.loads(report.to_json()))) == html.render(report)


def test_another_versions_report_is_named(make_run: Make) -> None:
    value = json.loads(build(make_run()).to_json())
    del value["terms"]["verdict"]
    with pytest.raises(CompareError, match=r"old/report\.json.*terms\.verdict"):
        read_report(value, where="old/report.json")


def test_a_run_without_drops_training_or_gap_still_renders(make_run: Make) -> None:
    ledger = {
        "teacher": {"requested": 240, "kept": 240, "dropped": {}, "failed": 0, "missing": 0},
        "real": {"requested": 92, "kept": 92, "dropped": {}, "failed": 0, "missing": 0},
        "by_method": {},
        "examples": {},
    }
    inputs = make_run(arms={"student": 2.0}, ledger=ledger)
    del inputs["train"]
    report = build(inputs)
    page = Page(html.render(report))
    assert not page.open and not report.training
    assert "240 requested = 240 kept + 0 dropped" in markdown.render(report)


def test_markdown_is_a_table_with_the_headline_first(make_run: Make) -> None:
    lines = markdown.render(build(make_run())).splitlines()
    assert lines[0] == "# quickstart" and lines[2].startswith("**The student recovered 51% [")
    head = next(line for line in lines if line.startswith("| metric"))
    assert head == "| metric | items | teacher | base | student | gap recovered |"
    row = next(line for line in lines if line.startswith("| **heldout_teacher.loss"))
    assert row.count("|") == head.count("|")


def test_markdown_keeps_model_text_inside_its_fence(make_run: Make) -> None:
    report = build(make_run(), name="a|b`c <script>")
    samples = report.samples.model_copy(
        update={"items": (report.samples.items[0].model_copy(update={"reference": EVIL + "\n```\n# no heading"}),)}
    )
    text = markdown.render(report.model_copy(update={"samples": samples}))
    assert text.startswith("# a\\|b\\`c \\<script\\>")
    fence = "````text\n" + EVIL
    assert fence in text and "# no heading\n````" in text

"""The laboratory's pages in a real Chromium: on a desk, in the dark, on a phone, by axe's rules, without a word on the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.laboratory import page, sweep_page
from tests.browser import Browser, opened, programs, violations
from tests.laboratory import example

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(programs() is None, reason="apt-get install chromium chromium-driver"),
]
WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("laboratory")
    page.write(example.laboratory(), folder)
    sweep_page.write(example.sweep((0.0, 0.2, 0.3, 0.5, 0.8, 1.0)), folder)
    return [folder / "report.html", folder / "sweep.html"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_pages_fit_and_break_no_rule(browser: Browser, pages: list[Path], width: int, scheme: str) -> None:
    for path in pages:
        browser.size(width, 900, mobile=width < 500)
        browser.media(scheme=scheme)
        browser.open(path)
        browser.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert browser.run(WIDE) == 0
        assert violations(browser) == []
        assert browser.complaints() == []


def test_every_plot_has_its_curves_inside(browser: Browser, pages: list[Path]) -> None:
    browser.size(390, 900, mobile=True)
    for path in pages:
        browser.open(path)
        outside = browser.run(
            "return [...document.querySelectorAll('svg.plot[role=img]')].flatMap(plot => {"
            " const all = plot.getBoundingClientRect();"
            " return [...plot.querySelectorAll('polyline, text')].filter(one => {"
            "  const own = one.getBoundingClientRect();"
            "  return own.left < all.left - 8 || own.right > all.right + 8 || own.top < all.top - 8 || own.bottom > all.bottom + 8"
            " }).map(one => one.textContent || one.className.baseVal) })"
        )
        assert outside == []

"""The other pages in a real Chromium: rows to search and turn, and the report, both without a word on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distill.compare import browse, stage
from distill.context import Context
from tests.browser import Browser, opened, programs, violations
from tests.compare.conftest import row
from tests.compare.test_browse import EVIL, dropped, folder

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(programs() is None, reason="apt-get install chromium chromium-driver"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as made:
        yield made


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Sixty kept rows, thirty dropped; the last kept is markup and very long."""
    kept = [row(f"question {number}", f"answer {number}") for number in range(59)] + [row("evil", EVIL + "long " * 900)]
    lost = [dropped(row(f"lost {number}", "x"), evidence=kept[number].id) for number in range(30)]
    return browse.write(folder(tmp_path, kept, lost), "a run", tmp_path)


@pytest.fixture
def report(tmp_path: Path, make_run: Callable[..., dict[str, Path]]) -> Path:
    spec = stage.Spec(name="quickstart", use="research", primary="heldout_teacher.loss", seed=17)
    stage.run(spec, make_run(), tmp_path, Context(cache=tmp_path, resolved={}))
    return tmp_path / "report.html"


def test_rows_are_searched_turned_and_linked_to(browser: Browser, rows: Path) -> None:
    browser.size(1280, 900)
    browser.open(rows)
    shown = "return [...document.querySelectorAll('#kept article')].length"
    assert browser.run(shown) == 20
    browser.press("/", "evil")
    browser.wait("return document.querySelectorAll('mark').length")
    assert browser.run(shown) == 1
    browser.click("#kept button.more")
    assert browser.run("return document.querySelector('#kept dd:last-of-type div').textContent.startsWith('</script>')")
    browser.click(".bar button[type=reset]")
    browser.wait("return document.querySelectorAll('#kept article').length === 20")
    browser.click("#kept .side-foot button:last-child")
    assert browser.run("return document.querySelector('#kept .pager span').textContent") == "21–40"
    browser.click("#dropped .evidence a")
    focused = browser.run("return [document.activeElement.id, document.activeElement.closest('section').id]")
    assert focused == [f"row-{browser.run('return location.hash.slice(1)')}", "kept"]
    assert browser.complaints() == []


@pytest.mark.parametrize("page", ["rows", "report"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing(
    browser: Browser, page: str, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    browser.size(width, 900, mobile=width == 390)
    browser.media(scheme=scheme)
    browser.open(request.getfixturevalue(page))
    assert violations(browser) == []
    assert browser.run("return document.documentElement.scrollWidth") == width
    assert browser.complaints() == []

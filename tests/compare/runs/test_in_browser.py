"""The page of a comparison in a real Chromium: read, filtered, linked to, printed, on a phone, by keyboard, and fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.compare.runs import page
from tests.browser import Browser, opened, programs, violations
from tests.compare.conftest import LOSS
from tests.compare.runs.conftest import Lines, Runs, sums

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(programs() is None, reason="apt-get install chromium chromium-driver"),
]
EVIL = "</script><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
MANY = 10_000
FIRST = "document.querySelector('article')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as made:
        yield made


@pytest.fixture(autouse=True)
def _desktop_and_quiet(browser: Browser) -> Iterator[None]:
    """Each test begins alike, and ends without a word on the console."""
    browser.size(1280, 900)
    browser.media()
    yield
    assert browser.complaints() == []


def written(runs: Runs, *named: str) -> Path:
    path = runs.root / "page.html"
    page.write(*runs.compare(*named), path)
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; b's first sum is answered by markup, its second by very much."""

    def change(lines: Lines) -> None:
        for line, answer in zip(lines[80:82], (EVIL, "long " * 20_000 + "needle"), strict=True):
            line.update(answer=answer, found=None, metrics={"accuracy": {"value": 0.0, "weight": 1}})

    runs = Runs(tmp_path_factory.mktemp("two") / "runs")
    runs.make("a", {"student@10": 2.4, "student@20": 2.2})
    runs.items(runs.make("b", {"student": 1.8}), "student", change)
    return written(runs, "a", "b")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand items with answers of some length."""
    runs = Runs(tmp_path_factory.mktemp("many") / "runs")
    for name, student in (("a", 2.0), ("b", 1.8)):
        run = runs.make(name, count=2)
        for arm, loss in {**LOSS, "student": student}.items():
            lines = sums(arm, loss, MANY)
            for line in lines:
                line["answer"] = f"{name} {arm}: {line['question']} " + f"step {line['item']} " * 40 + line["answer"]
            runs.arm(run, arm, lines, f"key-{name}")
    return written(runs, "a", "b")


def choose(browser: Browser, field: str, value: str) -> None:
    """An option by its value or its text, as if a hand had done it."""
    browser.run(
        "const field = document.getElementById(args[0]);"
        "field.value = [...field.options].find((one) => [one.value, one.text].includes(args[1])).value;"
        "field.dispatchEvent(new Event('input', { bubbles: true }));",
        field,
        value,
    )
    time.sleep(0.05)


def ids(browser: Browser) -> list[str]:
    found: list[str] = browser.run(
        "return [...document.querySelectorAll('article .about code')].map((one) => one.textContent)"
    )
    return found


def test_worst_regressions_come_first_with_both_answers_and_the_reference(browser: Browser, two: Path) -> None:
    browser.open(two)
    assert browser.run(f"return {FIRST}.querySelectorAll('.answer b').length") == 2
    names = browser.run(f"return [...{FIRST}.querySelectorAll('.answer b')].map((one) => one.textContent)")
    assert names == ["a", "b"]
    changes = browser.run("return list.rows.map(change)")
    assert changes == sorted(changes) and changes[0] < 0 < changes[-1]
    assert browser.run(f"return {FIRST}.querySelector('.about b').textContent").startswith("▼")
    choose(browser, "order", "best")
    assert browser.run("return list.rows.map(change)") == sorted(changes, reverse=True)
    choose(browser, "metric", "sums.accuracy")
    choose(browser, "show", "both wrong")
    assert browser.run("return list.rows.length") > 0
    assert browser.run("return list.rows.every((item) => item.values[0][2] === 0 && item.values[0][3] === 0)")
    choose(browser, "second", "base")
    assert browser.run(f"return {FIRST}.querySelector('.answer:last-child b').textContent") == "base"


def test_markup_in_an_answer_stays_text(browser: Browser, two: Path) -> None:
    browser.open(two, "#metric=sums.accuracy&item=s000000")
    said = browser.run("return document.querySelector('.found .answer:last-child .said').textContent")
    assert said == EVIL
    assert browser.run("return [document.title, document.querySelectorAll('img, article script').length]") == [
        "a, b: compared",
        0,
    ]


def test_a_very_long_answer_is_cut_until_all_is_asked_for_and_searched_whole(browser: Browser, two: Path) -> None:
    browser.open(two, "#metric=sums.accuracy&item=s000001")
    length = "return document.querySelector('.found .answer:last-child .said').textContent.length"
    assert browser.run(length) < 2000
    more = ".found .answer:last-child button.more"
    assert browser.run(f"return document.querySelector('{more}').textContent") == "show all 100,006 characters"
    browser.click(more)
    assert browser.run(length) > 100_000
    browser.open(two, "#metric=sums.accuracy&words=needle")
    assert ids(browser) == ["s000001"]
    assert browser.run("return document.querySelector('mark').textContent") == "needle"


def test_an_address_opens_its_item_with_its_filters(browser: Browser, two: Path) -> None:
    browser.open(two)
    choose(browser, "metric", "sums.accuracy")
    choose(browser, "show", "only the second right")
    choose(browser, "first", "base")
    expected = ids(browser)
    address = browser.run("return document.querySelectorAll('article a')[1].getAttribute('href')")
    browser.open(two, address)
    assert ids(browser) == expected
    assert browser.run("return document.activeElement.id") == f"item-sums-{expected[1]}"
    assert browser.run("return [...document.querySelectorAll('#first, #show')].map((one) => one.value)") == ["won", "1"]
    # One that its filters hide is shown all the same, and one that is not there is said not to be.
    hidden = browser.run("return items.find((item) => item.suite === 2 && !list.rows.includes(item)).id")
    browser.open(two, f"{address.rpartition('&')[0]}&item={hidden}")
    assert browser.run("return document.activeElement.id") == f"item-sums-{hidden}"
    browser.open(two, "#item=nobody")
    assert "There is no item nobody" in browser.run("return document.getElementById('said').textContent")


def test_it_can_be_read_by_keyboard_alone(browser: Browser, two: Path) -> None:
    browser.open(two)
    browser.press("/", "tides")
    browser.wait("return document.querySelectorAll('mark').length")
    rows = browser.run("return list.rows.length")
    assert 0 < rows < 40
    browser.press("Escape", "j", "j", "k")
    assert browser.run(f"return document.activeElement === {FIRST}")
    browser.press("x")
    assert browser.run("return [...document.querySelectorAll('#first, #second')].map((one) => one.value)") == ["3", "2"]
    browser.press("Tab")
    assert browser.run(f"return {FIRST}.contains(document.activeElement)")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, two: Path) -> None:
    browser.size(390, 844, mobile=True)
    for fragment in ("", "#metric=sums.accuracy&item=s000000"):
        browser.open(two, fragment)
        assert browser.run("return document.documentElement.scrollWidth") == 390
    tops = browser.run(f"return [...{FIRST}.querySelectorAll('.answer')].map((one) => one.getBoundingClientRect().top)")
    assert tops[0] < tops[1]


def test_it_prints_without_its_controls(browser: Browser, two: Path) -> None:
    browser.open(two)
    browser.size(794, 1123)
    browser.media("print")
    seen = browser.run(
        "return [...document.querySelectorAll('input, select, button')].filter((one) => one.offsetParent)"
    )
    assert seen == []
    assert browser.run("return document.documentElement.scrollWidth") <= 794
    tops = browser.run(f"return [...{FIRST}.querySelectorAll('.answer')].map((one) => one.getBoundingClientRect().top)")
    assert tops[0] == tops[1]
    browser.media()
    assert browser.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing(browser: Browser, two: Path, scheme: str, width: int) -> None:
    browser.size(width, 900)
    browser.media(scheme=scheme)
    browser.open(two, "#metric=sums.accuracy&item=s000001")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert violations(browser) == []


def test_ten_thousand_items_without_stutter(browser: Browser, many: Path) -> None:
    browser.open(many)
    browser.wait("return document.readyState === 'complete' && list.rows.length")
    paint = browser.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    ready = browser.run("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    taken = {"first paint": paint, "ready": ready, "megabytes": many.stat().st_size / 1e6}
    timed = "const start = performance.now(); {} document.body.offsetHeight; return performance.now() - start;"
    taken["first search"] = browser.run(timed.format("fields.words.value = 's004321'; update();"))
    assert ids(browser) == ["s004321"]
    taken["search"] = browser.run(timed.format("fields.words.value = 'step'; update();"))
    assert browser.run("return list.rows.length") == MANY
    taken["filter"] = browser.run(timed.format("fields.words.value = ''; fields.show.value = 'won'; update();"))
    taken["sort"] = browser.run(timed.format("fields.show.value = 'all'; fields.order.value = 'best'; update();"))
    taken["turn"] = browser.run(timed.format("list.turn(250);"))
    print({name: round(value, 1) for name, value in taken.items()})
    assert browser.run("return document.querySelectorAll('article').length") == 20
    assert taken["first paint"] < 2000 and max(taken[name] for name in ("search", "filter", "sort", "turn")) < 300

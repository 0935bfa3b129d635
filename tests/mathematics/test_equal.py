"""Which expressions are the same, and what becomes of those that no computer can work out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from distill.errors import DistillError
from distill.mathematics import equal
from distill.mathematics.equal import UndecidedError, same


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("42", "42.00", True),
        ("42", "-42", False),
        ("0.75", r"\frac{3}{4}", True),
        ("3/4", "75%", True),
        ("75", "75%", True),
        ("14.5", r"14.5\%", True),
        ("75", "0.75", False),
        ("6", "x = 6", True),
        ("x^2 + 1", "1 + x^2", True),
        ("(x+1)^2", "x^2 + 2x + 1", True),
        ("(x+1)^2", "x^2 + 1", False),
        (r"\text{Monday}", r"\text{Tuesday}", False),
        ("2000", r"2\times 10^3", True),
        ("1" * 40, "1" * 40 + ".0", True),
        ("1" * 40, "1" * 39 + "2", False),
    ],
)
def test_the_same_in_another_form(reference: str, answer: str, expected: bool) -> None:
    assert same(reference, answer) is expected


@pytest.mark.parametrize("answer", ["(((((", "1" * 500, r"\frac{1}"])
def test_what_cannot_be_read_is_undecided(answer: str) -> None:
    with pytest.raises(UndecidedError):
        same("42", answer)


def test_what_has_no_end_costs_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal, "SECONDS", 1.0)
    monkeypatch.setattr(equal, "_idle", [])
    with pytest.raises(UndecidedError, match="processor time"):
        same("42", "9^{9^{9^9}}")
    assert same("42", "42.0")


def test_it_may_be_asked_from_many_threads() -> None:
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda number: same(str(number), f"{number - number % 2}.0"), range(20)))
    assert verdicts == [number % 2 == 0 for number in range(20)]


def test_a_missing_package_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("import a_package_that_is_not_there\n", encoding="utf-8")
    monkeypatch.setattr(equal, "WORKER", tmp_path / "worker.py")
    monkeypatch.setattr(equal, "_idle", [])
    with pytest.raises(DistillError, match="a_package_that_is_not_there"):
        same("1", "2")

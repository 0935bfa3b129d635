"""A judge beside people: what is agreed on, and labels that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.judge import labels
from distill.judge.asking import LONGEST
from distill.judge.settings import Labels
from tests.judge.make import judged, perfect, question, right, write, wrong

SHIPPED = Path(__file__).parents[2] / "recipes" / "data" / "judged_pairs.jsonl"
FILE = {"data": "labels.jsonl"}


def pairs(count: int, ties: int = 0) -> list[dict[str, Any]]:
    made = []
    for number in range(count):
        texts = [right(number), wrong(number)][:: 1 if number % 2 else -1]
        made.append(
            {"question": question(number), "a": texts[0], "b": texts[1], "preferred": "a" if number % 2 else "b"}
        )
    made += [
        {"question": question(count + n), "a": right(count + n), "b": right(count + n, "!"), "preferred": "tie"}
        for n in range(ties)
    ]
    return made


def put(folder: Path, records: Sequence[dict[str, Any]]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    count = 24
    return write(
        tmp_path,
        {
            "student": [right(number, " " * (number % 3) + ".") for number in range(count)],
            "base": [wrong(number, "." * (number % 5)) for number in range(count)],
        },
    )


def test_a_perfect_judge_agrees_with_people(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    put(inputs["split"].parent, pairs(100, ties=20))
    summary, result, lines, _ = judged(inputs, perfect, monkeypatch, labels=FILE)
    agreed = result["agreement"]
    assert (agreed["pairs"], agreed["read"], agreed["share"]["value"], agreed["kappa"]["value"]) == (120, 120, 1, 1)
    assert agreed["commonest"] == pytest.approx(50 / 120)
    assert result["standing"] == "passed" and summary["notes"] == []
    assert sum(line["pair"] == "labels" for line in lines) == 240


def test_agreement_is_what_it_is_of_a_judge_that_errs(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    put(inputs["split"].parent, pairs(120))
    wrongly = {question(number) for number in range(30, 60)}  # all of them outside of the items of the arms

    def say(asked: str, a: str, b: str) -> str:
        said = perfect(asked, a, b)
        return said.translate(str.maketrans("AB", "BA")) if asked in wrongly else said

    _, result, _, _ = judged(inputs, say, monkeypatch, labels=FILE)
    agreed = result["agreement"]
    assert agreed["share"]["value"] == 0.75 and agreed["kappa"]["value"] == pytest.approx(0.5)
    assert agreed["share"]["ci95"][0] < 0.7 < 0.8 < agreed["share"]["ci95"][1] and result["standing"] == "passed"


def test_a_judge_that_agrees_by_chance_only_is_not_believed(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it knows are the 24 items of the arms, so that it passes the controls; of the labelled pairs it guesses.
    put(inputs["split"].parent, pairs(130)[24:])
    guesses = {question(number): number % 4 < 2 for number in range(24, 130)}

    def say(asked: str, a: str, b: str) -> str:
        said = perfect(asked, a, b)
        return said.translate(str.maketrans("AB", "BA")) if guesses.get(asked) else said

    _, result, _, _ = judged(inputs, say, monkeypatch, labels=FILE)
    assert all(control["passed"] is not False for control in result["controls"])
    assert result["standing"] == "cannot be believed"
    assert "its agreement with people is not shown to be better than chance" in result["reasons"][0]


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_labels_that_are_all_the_same_cannot_test_a_judge(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    alike = [
        {**one, "a": one["b"], "b": one["a"], "preferred": "a"} if one["preferred"] == "b" else one
        for one in pairs(120)
    ]
    put(inputs["split"].parent, alike)
    wrongly = {question(number) for number in range(30, 30 + round((1 - share) * 120))}

    def say(asked: str, a: str, b: str) -> str:
        said = perfect(asked, a, b)
        return said.translate(str.maketrans("AB", "BA")) if asked in wrongly else said

    summary, result, _, _ = judged(inputs, say, monkeypatch, labels=FILE)
    agreed = result["agreement"]
    assert (agreed["share"]["value"], agreed["kappa"], agreed["commonest"]) == (share, None, 1)
    assert result["standing"] == "passed" and result["reasons"] == []
    why = "people said the same of all 120 pairs, and such labels cannot test a judge"
    assert summary["notes"] == [f"The kappa with people is not known: {why}."]


def test_few_labels_are_said_to_be_few(inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    put(inputs["split"].parent, pairs(40))
    summary, result, _, _ = judged(inputs, perfect, monkeypatch, labels=FILE)
    assert result["agreement"]["share"]["n"] == 40 and result["standing"] == "passed"
    assert summary["notes"] == ["The agreement with people is of 40 pairs; 100 are the least that say something."]


def test_labels_that_the_judge_says_nothing_of_have_no_agreement(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inputs["split"].parent, [{**one, "question": "Else?"} for one in pairs(120)])
    say = lambda asked, a, b: "Hm." if asked == "Else?" else perfect(asked, a, b)  # noqa: E731
    summary, result, _, _ = judged(inputs, say, monkeypatch, labels=FILE)
    assert result["agreement"]["share"] is None and result["agreement"]["read"] == 0
    assert any("the judge gave a verdict on 0 of 120 labelled pairs" in note for note in summary["notes"])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"question": "q", "a": "x", "b": "y", "preferred": "left"}, "the preference is 'left'"),
        ({"question": "q", "a": "x", "b": "y"}, "no column 'preferred'"),
        ({"question": "q", "a": "x", "preferred": "a"}, "no column 'b'"),
        ({"question": "Q?", "a": "x", "b": "y", "preferred": "b"}, "the same pair is there with another preference"),
    ],
)
def test_labels_that_cannot_be_read_are_an_error_with_the_line(
    tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    path = put(tmp_path, [{"question": "Q?", "a": "x", "b": "y", "preferred": "a"}, record])
    with pytest.raises(SourceError, match=message) as caught:
        labels.labelled(Labels(data="x"), path)
    assert ":2" in str(caught.value)


def test_columns_of_another_file_are_translated(tmp_path: Path) -> None:
    path = put(tmp_path, [{"prompt": "Q?", "answers": ["x", "y"], "winner": "model_2"}] * 2)
    spec = Labels(
        data="x", question="prompt", a="{{ answers[0] }}", b="{{ answers[1] }}",
        preferred="{{ {'model_1': 'a', 'model_2': 'b'}.get(winner, 'tie') }}",
    )  # fmt: skip
    (one,), (value,) = labels.labelled(spec, path)
    assert (one.question, one.a, one.b, value) == ("Q?", "x", "y", 0.0)


def test_the_pairs_that_are_shipped_can_be_read_and_are_enough() -> None:
    comparisons, people = labels.labelled(Labels(data="x"), SHIPPED)
    assert len(comparisons) == len(people) >= labels.ENOUGH
    assert {0.0, 0.5, 1.0} == set(people) and len({one.root for one in comparisons}) >= 50
    assert all(len(one.a) + len(one.b) < LONGEST and one.a != one.b for one in comparisons)
    assert 0.4 < sum(people) / len(people) < 0.6, "neither place is favoured"


def test_choice_of_the_shipped_pairs_follows_the_marks() -> None:
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        a, b = one["marks"]
        assert one["preferred"] == ("tie" if a == b else "a" if a > b else "b")

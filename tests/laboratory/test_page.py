"""The pages: safe, whole, from the file alone, and no more said than was found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.laboratory import markdown, page, sweep_page, terminal
from distill.laboratory.curves import Curves
from distill.laboratory.findings import findings, headline, measures, notes, verdict
from distill.laboratory.record import LABORATORY, SWEEP, Laboratory, Sample, Sweep, read
from distill.laboratory.sweep import fit
from tests.compare.test_files import EVIL, Page, poison
from tests.laboratory import example

SHARES = (0.0, 0.2, 0.5, 0.8, 1.0)


@pytest.fixture(scope="module")
def made() -> Laboratory:
    return example.laboratory()


def changed(laboratory: Laboratory, **measured: Any) -> Laboratory:
    """The same with other values in every cell; a function is given the cell."""
    cells = [
        cell.model_copy(update={key: value(cell) if callable(value) else value for key, value in measured.items()})
        for cell in laboratory.cells
    ]
    return laboratory.model_copy(update={"cells": tuple(cells)})


def check(text: str) -> Page:
    """Well formed, without a script or a request, every id once."""
    found = Page(text)
    assert not found.open
    assert not found.all("script") and not found.all("iframe") and not found.all("img")
    assert all(link["href"] == "data:," for link in found.all("link"))
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", text)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "default-src 'none'" in text
    return found


def test_files_are_made_from_the_json_alone(made: Laboratory, tmp_path: Path) -> None:
    page.write(made, tmp_path / "a")
    page.write(read(Laboratory, tmp_path / "a" / LABORATORY), tmp_path / "b")
    for name in (LABORATORY, "report.html", "report.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [LABORATORY, "report.html", "report.md"]


def test_the_page_is_whole_and_asks_for_nothing(made: Laboratory) -> None:
    text = page.render(made)
    check(text)
    assert len(text) < 250_000
    for name in (
        "replace + 10% real",
        "coverage",
        "tail_coverage",
        "entropy_1",
        "vendi",
        "generation 5",
        "shares of words",
    ):
        assert name in text
    assert text.count('class="spread') > 20 and text.count("<svg") > 10


def test_curves_that_lie_close_are_drawn_by_themselves_too(made: Laboratory) -> None:
    assert "of those that lost least" in page.render(made)
    apart = made.model_copy(update={"cells": tuple(cell for cell in made.cells if cell.keep == "replace")})
    assert "of those that lost least" not in page.render(apart)


def test_what_models_wrote_is_no_markup(made: Laboratory) -> None:
    evil = Laboratory.model_validate(poison_texts(made.model_dump(), ("keep",)))
    text = page.render(evil)
    check(text)
    assert "alert(1)" in text and "<script>" not in text and "<img" not in text
    lines = markdown.report(evil).splitlines()
    outside, fence = [], ""
    for line in lines:
        if not fence and line.startswith("```"):
            fence = re.match("`+", line)[0]  # type: ignore[index]
        elif fence:
            fence = "" if line == fence else fence
        else:
            outside.append(line)
    assert not any("<script>" in line.replace("\\<", "") for line in outside)


def poison_texts(value: Any, but: tuple[str, ...]) -> Any:
    """The record with evil markup in all texts but its own words."""
    if isinstance(value, dict):
        return {key: part if key in but else poison_texts(part, but) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [poison_texts(part, but) for part in value]
    return poison(value) if isinstance(value, str) else value


def test_a_very_long_answer_is_cut(made: Laboratory) -> None:
    long = changed(made, samples=(Sample(prompt="p", text="word " * 40_000),))
    assert len(page.render(long)) < 400_000


@pytest.mark.parametrize(
    "cells",
    [
        lambda cell: cell.generation > 9,
        lambda cell: cell.generation == 0,
        lambda cell: cell.generation == 1 and cell.seed == 0,
    ],
)
def test_an_unfinished_laboratory_has_a_page(made: Laboratory, cells: Any) -> None:
    some = made.model_copy(update={"cells": tuple(cell for cell in made.cells if cells(cell))})
    check(page.render(some))
    assert markdown.report(some) and terminal.table(some)


def test_bare_numbers_have_a_page(made: Laboratory) -> None:
    bare = changed(
        made.model_copy(update={"items": (), "references": (), "base_loss": None}),
        losses=(), measures={}, people={}, samples=(), rare_loss=None, train_loss=None,
    )  # fmt: skip
    text = page.render(bare)
    check(text)
    assert "Variety" not in text and "generation by generation" not in text
    assert "over seeds alone" in text


def test_the_headline_says_what_was_found_and_no_more(made: Laboratory) -> None:
    assert re.fullmatch(
        r"Under replace, real loss rose to ×1\.\d\d \[1\.\d\d, 1\.\d\d\] in 5 generations; under accumulate it is ×1\.0\d \[.*\]\.",
        headline(Curves(made)),
    )
    at_first = {cell.seed: cell for cell in made.cells if cell.generation == 0}
    still = changed(made, losses=lambda cell: at_first[cell.seed].losses, loss=lambda cell: at_first[cell.seed].loss)
    assert headline(Curves(still)).startswith("Under replace, real loss did not move: ×1.00 [1.00, 1.00]")
    assert "under accumulate" not in headline(Curves(still))
    assert all("cannot be told apart (" in one for one in findings(Curves(still))[1:])


@pytest.mark.parametrize("name", ["wikitext", "chat"])
def test_the_grids_that_are_shipped_say_what_their_pages_say(name: str) -> None:
    shipped = Path(__file__).parents[2] / "docs" / "laboratory"
    curves = Curves(Laboratory.model_validate_json((shipped / f"{name}.json").read_text(encoding="utf-8")))
    said = (shipped / f"{name}.md").read_text(encoding="utf-8")
    assert not curves.missing()
    known = set(said.splitlines())
    # Only samples are not in the record that is shipped.
    assert [line for line in markdown.report(curves.laboratory).splitlines() if line not in known] == []


def test_a_difference_that_so_few_seeds_are_not_sure_to_find_is_not_claimed() -> None:
    path = Path(__file__).parents[2] / "docs" / "laboratory" / "wikitext.json"
    ends = {end.arm.name: end for end in Curves(Laboratory.model_validate_json(path.read_text(encoding="utf-8"))).ends}
    quarter = ends["replace + 25% real"]
    assert quarter.beside and quarter.beside.ci95 and quarter.beside.ci95[1] < 0
    assert verdict(quarter) == "too few seeds to claim it"
    assert verdict(ends["replace + 10% real"]) == "cannot be told apart"
    assert verdict(ends["accumulate"]) == "better"
    without_items = replace(quarter, beside=replace(quarter.beside, over="seeds"))
    assert verdict(without_items) == "not claimed without losses by item"


def test_words_that_stay_while_their_entropy_falls_are_no_health(made: Laboratory) -> None:
    def measured(cell: Any) -> dict[str, float]:
        return {"coverage": 0.52, "entropy_1": 5.35 - 0.6 * cell.generation + 0.01 * cell.seed}

    said = findings(Curves(changed(made, measures=measured)))
    assert any("accumulate: coverage stayed" in one and "no single number certifies health" in one for one in said)
    assert not any("coverage stayed" in one for one in findings(Curves(made))), "there coverage falls too"


def test_measures_stand_in_order_and_unknown_ones_last(made: Laboratory) -> None:
    more = changed(made, measures=lambda cell: {"own": 1.0, "distinct_2": 1.0, **cell.measures})
    assert measures(Curves(more)) == ["coverage", "tail_coverage", "entropy_1", "vendi", "distinct_2", "hapax", "own"]


def test_what_limits_it_is_said() -> None:
    one = example.laboratory(2, seeds=(4,))
    assert any("One training seed" in note for note in notes(Curves(one)))
    gone = one.model_copy(
        update={"cells": tuple(cell for cell in one.cells if (cell.keep, cell.generation) != ("subsample", 1))}
    )
    assert any("subsample, generation 1, seed 4" in note for note in notes(Curves(gone)))


def test_students_that_are_worse_than_a_guess_are_named(made: Laboratory) -> None:
    assert not any("a guess among" in note for note in notes(Curves(made)))
    lost = notes(Curves(changed(made, loss=lambda cell: cell.loss + 9)))
    assert any(note.startswith("Generation 0 has a loss of ") and "a guess among" in note for note in lost)


def test_one_seed_is_one(made: Laboratory) -> None:
    assert "mean over one training seed;" in terminal.table(example.laboratory(1, seeds=(4,)))
    assert "mean over 3 training seeds;" in terminal.table(made)


def test_a_terminal_shows_every_generation(made: Laboratory) -> None:
    lines = terminal.table(made).splitlines()
    assert lines[0].split()[:9] == ["real", "loss,", "generation", "0", "1", "2", "3", "4", "5"]
    assert any(line.startswith("replace + 10% real") and "×" in line and "−" in line for line in lines)
    assert "63 students" in "\n".join(lines)


def test_a_sweep_has_a_page_a_file_and_a_table(tmp_path: Path) -> None:
    made = example.sweep(SHARES)
    sweep_page.write(made, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.html", SWEEP, "sweep.md"]
    text = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    check(text)
    said = sweep_page.headline(fit(made))
    assert re.fullmatch(r"Students are best at \d\d% \[\d+, \d+\] teacher rows\.", said)
    assert said in (tmp_path / "sweep.md").read_text(encoding="utf-8")
    assert said in sweep_page.table(made)
    assert read(Sweep, tmp_path / SWEEP) == made


def test_a_sweep_of_anything_has_a_page() -> None:
    for made in (example.sweep(SHARES, seeds=(0,)), example.sweep((0.0, 1.0)), example.sweep(SHARES, depth=0.0)):
        check(sweep_page.render(made, fit(made)))
    evil = Sweep.model_validate(poison_texts(example.sweep(SHARES).model_dump(), ()))
    text = sweep_page.render(evil, fit(evil))
    check(text)
    assert EVIL not in text

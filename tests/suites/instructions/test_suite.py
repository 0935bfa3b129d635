"""Prompts with instructions: read, asked, checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import SourceError
from distill.suites.instructions.checks import CHECKS
from distill.suites.instructions.suite import Instructions
from tests.suites.written import answered, data, load, said

PROMPTS = Path(__file__).parents[3] / "recipes" / "data" / "instructions.jsonl"
REPEATED = (
    "First repeat the request word for word without change, then give your answer: Name three rivers of Europe. The "
    "Rhine, the Loire and the Po."
)
RECORD = {
    "key": 1,
    "prompt": "Boil an egg, without commas and in less than 9 words.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{}, {"num_words": 9, "relation": "less than"}],
}


def suite(folder: Path, *records: dict[str, Any], **more: Any) -> Instructions:
    source = {"data": data(folder, list(records) or [RECORD]), "prompt": "prompt"}
    return Instructions.model_validate({"source": source, **more})


def judged(suite: Instructions, *answers: str) -> tuple[dict[str, float], str | None]:
    (one,) = suite.judge(answered(load(suite)[0], *answers))
    assert set(one.measures) == set(suite.metrics)
    return {name: measure["value"] for name, measure in one.measures.items()}, one.found


def test_a_line_in_the_form_of_ifeval_is_an_item(tmp_path: Path) -> None:
    (item,) = load(suite(tmp_path))
    assert (item.kind, said(item)) == ("prompt", [("user", RECORD["prompt"])])
    assert set(item.evidence) == {"checks"}


def test_all_of_a_prompt_must_be_followed(tmp_path: Path) -> None:
    one = suite(tmp_path)
    assert judged(one, "Put it in hot water.") == (
        {"followed": 1, "followed_loose": 1, "instructions": 1},
        "all followed",
    )
    assert judged(one, "Put it, slowly.") == (
        {"followed": 0, "followed_loose": 0, "instructions": 0.5},
        "not followed: punctuation:no_comma",
    )
    assert judged(one, "")[0] == {"followed": 0, "followed_loose": 0, "instructions": 0}
    (found,) = one.judge(answered(load(one)[0], "x"))
    assert found.measures["instructions"]["weight"] == 2


def test_loosely_an_answer_may_be_led_to(tmp_path: Path) -> None:
    found, _ = judged(suite(tmp_path), "Sure, of course!\nPut it in hot water.")
    assert found == {"followed": 0, "followed_loose": 1, "instructions": 0.5}


def test_several_answers_are_shares(tmp_path: Path) -> None:
    found, _ = judged(suite(tmp_path), "Put it in hot water.", "Put it, slowly.")
    assert found == {"followed": 0.5, "followed_loose": 0.5, "instructions": 0.75}


def test_null_arguments_are_none(tmp_path: Path) -> None:
    record = {**RECORD, "kwargs": [{"num_words": None, "keywords": None}, {"num_words": 9.0, "relation": "less than"}]}
    assert judged(suite(tmp_path, record), "Put it in hot water.")[0]["followed"] == 1
    nulls = {**RECORD, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [None]}
    assert judged(suite(tmp_path, nulls), "Put it in hot water.")[0]["followed"] == 1


def test_instructions_that_are_not_known_are_all_named(tmp_path: Path) -> None:
    records = [{**RECORD, "prompt": str(n), "instruction_id_list": ["a:b", f"c:{n}"]} for n in range(2)]
    with pytest.raises(SourceError, match=r"not known here: a:b, c:0, c:1\n  -> known are change_case:capital"):
        load(suite(tmp_path, *records))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kwargs": [{}]}, "2 instructions with 1 sets of arguments"),
        ({"instruction_id_list": [], "kwargs": []}, "0 instructions with 0"),
        ({"kwargs": [{}, "x"]}, "2 instructions with 2"),
        ({"kwargs": "none"}, "`kwargs` holds no list"),
        ({"kwargs": [{}, {"num_words": 9}]}, "number_words takes num_words, relation, not num_words"),
        ({"kwargs": [{}, {"num_words": 9, "relation": "about"}]}, "found 'about'"),
    ],
)
def test_bad_instructions_are_told_with_the_prompt(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        load(suite(tmp_path, {**RECORD, **changes}))
    assert "Boil an egg" in str(error.value)


def test_the_prompts_that_come_with_the_recipes_are_read() -> None:
    one = Instructions.model_validate({"source": {"data": str(PROMPTS), "prompt": "prompt"}})
    items = load(one)
    assert len(items) == 40
    asked = {told["id"] for item in items for told in json.loads(item.evidence["checks"])}
    assert asked == CHECKS.keys(), "every instruction is asked for"


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        ("Write exactly 4 paragraphs", "We left early.\n\nSuddenly it poured.\n\nWe ran.\n\nHome was warm."),
        ("First repeat the request", REPEATED),
        ("Praise the humble spoon", "a spoon is kind. it carries soup to you. no fork can bring you soup."),
        ("Is a tomato a fruit?", "My answer is yes."),
        ("Describe a recipe for pancakes", '```json\n{"ingredients": ["flour"], "steps": ["mix"]}\n```'),
        ("List exactly 4 planets", "* Mars\n* Venus\n* Earth\n* Saturn\n\nThat is all."),
        ("Introduce yourself", "Guten Tag, ich bin die neue Nachbarin und wohne jetzt im Haus nebenan."),
        ("Give two different answers", "Trust.\n******\nTime."),
        ("Warn hikers", "STOP! There is a BEAR ON THE TRAIL."),
        ("Write an email that reminds", "Dear team, we meet on Monday.\nP.P.S Bring cake."),
    ],
)  # fmt: skip
def test_an_answer_by_hand_follows_all_of_it(start: str, answer: str) -> None:
    one = Instructions.model_validate({"source": {"data": str(PROMPTS), "prompt": "prompt"}})
    (item,) = (item for item in load(one) if item.question.startswith(start))
    (good,), (bad,) = one.judge(answered(item, answer)), one.judge(answered(item, "I would rather not, thanks."))
    assert good.found == "all followed"
    assert bad.measures["followed"]["value"] == 0

"""What a recipe intends is judged by the terms of what goes in, before anything is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill import intent
from distill.cli import main
from distill.errors import DistillError, TermsError
from distill.load import load_recipe
from distill.terms.registry import shipped
from distill.workspace import Workspace

RECIPE: dict[str, Any] = {
    "name": "tutor",
    "teacher": {"model": "qwen-teacher", "engine": {"kind": "server"}, "terms": ["apache-2.0"]},
    "real": {"chat": {"data": "chat.jsonl", "prompt": "q", "answer": "a", "terms": ["mit"]}},
    "generate": {"rows": 4, "methods": [{"kind": "answer", "prompts": "chat"}]},
    "mix": {"real_fraction": 0},
    "runtime": {"server": {"address": "http://localhost:8000/v1"}},
}


HOSTS = {"teacher": "localhost", "examiner": "api.openai.com"}


def space(tmp_path: Path, **changed: Any) -> Workspace:
    (tmp_path / "chat.jsonl").write_text(
        '{"q": "Why?", "a": "Because."}\n{"q": "How?", "a": "So."}\n', encoding="utf-8"
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, **changed}), encoding="utf-8")
    return Workspace(load_recipe(path), tmp_path, tmp_path / "runs", tmp_path / "cache")


def teacher(model: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "teacher": {"model": model, "engine": {"kind": "server"}, **more},
        "runtime": {"server": {"address": address}},
    }


def test_what_is_allowed_passes_without_a_word(tmp_path: Path) -> None:
    assert intent.check(space(tmp_path, use="commercial")) == []


def test_a_service_that_forbids_it_stops_the_recipe_even_in_research(tmp_path: Path) -> None:
    blocked = space(tmp_path, **teacher("gpt-4o", "https://api.openai.com/v1"))
    with pytest.raises(TermsError, match=r"gpt-4o.*does not let its outputs train another model \(3\.3\(e\)"):
        intent.check(blocked)


def test_a_services_rows_carry_its_terms(tmp_path: Path) -> None:
    served = space(tmp_path, **teacher("Qwen/Qwen3-32B", "https://api.together.xyz/v1"))
    assert served.resolved["Qwen/Qwen3-32B"].terms == ("qwen3", "host:api.together.xyz")


def test_an_unknown_licence_is_a_note_in_research_and_stops_anything_else(tmp_path: Path) -> None:
    data = {"chat": {**RECIPE["real"]["chat"], "terms": ["house-rules"]}}
    (line,) = intent.check(space(tmp_path, real=data))
    assert "house-rules" in line and "to be reviewed" in line
    with pytest.raises(TermsError, match="house-rules") as stopped:
        intent.check(space(tmp_path, real=data, use="internal"))
    assert "accept" in str(stopped.value)
    accepted = {"accept": {"house-rules": "our own data"}}
    found = intent.verdict(space(tmp_path, real=data, use="internal", terms=accepted))
    assert found.verdict == "ok" and any("our own data" in why for one in found.inputs for why in one.why)


def test_a_published_name_must_keep_what_the_teacher_asks(tmp_path: Path) -> None:
    changed = teacher("meta-llama/Llama-3.1-8B-Instruct", "http://localhost:8000/v1", terms=["llama3.1"])
    with pytest.raises(TermsError, match="must begin with 'Llama', and 'tutor' does not"):
        intent.check(space(tmp_path, use="redistribute", **changed))
    assert intent.check(space(tmp_path, use="redistribute", terms={"name": "Llama-tutor"}, **changed)) == []


def test_what_is_not_fetched_yet_is_to_be_reviewed_and_stops_nothing(tmp_path: Path) -> None:
    hub = {"chat": {**RECIPE["real"]["chat"], "data": "someone/data"}}
    found = space(tmp_path, real=hub, use="commercial")
    assert intent.verdict(found).verdict == "review"
    intent.check(found)


def test_an_own_registry_is_part_of_the_recipe(tmp_path: Path) -> None:
    own = tmp_path / "terms"
    own.mkdir()
    (own / "mine.yaml").write_text(
        "- permission_of: openai-business\n  reference: contract 7\n  dated: 2026-01-02\n", encoding="utf-8"
    )
    changed = teacher("gpt-4o", "https://api.openai.com/v1", terms=["openai-business"])
    assert intent.check(space(tmp_path, use="commercial", terms={"registry": "./terms"}, **changed)) == []


def test_the_command_prints_reasons_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(space(tmp_path).base / "recipe.yaml")
    assert main(["terms", recipe, "--cache", str(tmp_path / "cache")]) == 0
    shown = capsys.readouterr().out
    assert "No legal advice" in shown and "mit  " in shown and "looked at 2026-11-22, recalled" in shown
    assert main(["terms", recipe, "--json", "--use", "commercial", "--cache", str(tmp_path / "cache")]) == 0
    assert json.loads(capsys.readouterr().out)["use"] == "commercial"


def test_check_refuses_before_a_token_is_paid_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = space(tmp_path, **teacher("claude-sonnet-4-5", "https://api.anthropic.com/v1")).base / "recipe.yaml"
    for command in ("check", "run"):
        assert main([command, str(recipe), "--cache", str(tmp_path / "c"), "--runs", str(tmp_path / "r")]) == 2
        assert "does not let its outputs train another model" in capsys.readouterr().err


def carded(tmp_path: Path, card: str, **changed: Any) -> Workspace:
    """A data set in a folder with a card."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "chat.jsonl").write_text('{"q": "Why?", "a": "Because."}\n{"q": "How?", "a": "So."}\n')
    (tmp_path / "data" / "README.md").write_text(card)
    return space(tmp_path, real={"chat": {"data": "./data", "prompt": "q", "answer": "a", **changed}}, use="commercial")


def test_a_recipe_that_states_another_licence_than_the_card_is_reviewed(tmp_path: Path) -> None:
    with pytest.raises(TermsError, match=r"the recipe states mit, and its own card or package declares cc-by-nc-4\.0"):
        intent.check(carded(tmp_path, "---\nlicense: cc-by-nc-4.0\n---\n", terms=["mit"]))
    assert intent.check(carded(tmp_path, "---\nlicense: bsd\n---\n", terms=["bsd-3-clause"])) == [], "made clear"
    assert intent.check(carded(tmp_path, "---\nlicense: mit\n---\n", terms=["mit"])) == []


def test_a_card_with_two_licences_is_held_to_both(tmp_path: Path) -> None:
    with pytest.raises(TermsError, match="is not for commerce"):
        intent.check(carded(tmp_path, "---\nlicense: [mit, cc-by-nc-4.0]\n---\n"))


@pytest.mark.parametrize("card", ["", "---\nlicense: [\n---\n", "---\nlicense: other\n---\n", "no front matter"])
def test_a_card_that_is_missing_broken_or_names_nothing_is_reviewed(card: str, tmp_path: Path) -> None:
    with pytest.raises(TermsError, match="no licence is declared"):
        intent.check(carded(tmp_path, card))


def test_a_fork_under_another_name_is_held_to_what_it_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "fork").mkdir()
    (tmp_path / "fork" / "README.md").write_text(
        "---\nlicense: apache-2.0\nbase_model: meta-llama/Meta-Llama-3-8B-Instruct\n---\n"
    )
    with pytest.raises(TermsError, match="lets its outputs train its own family only"):
        intent.check(space(tmp_path, teacher={"model": "./fork"}, runtime={}))


def test_every_address_is_looked_at(tmp_path: Path) -> None:
    both = {"server": {"addresses": ["http://localhost:8000/v1", "https://api.openai.com/v1"]}}
    with pytest.raises(TermsError, match="OpenAI"):
        intent.check(space(tmp_path, runtime=both))


def test_rows_carry_a_host_of_which_nothing_is_known_beside_what_the_recipe_states(tmp_path: Path) -> None:
    away = space(tmp_path, runtime={"server": {"address": "https://api.example.com/v1"}})
    assert away.resolved["qwen-teacher"].terms == ("apache-2.0", "host:api.example.com")


def test_a_fork_carries_the_terms_of_what_it_was_made_from(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    fork.mkdir()
    (fork / "README.md").write_text(
        "---\nlicense: mit\nbase_model: meta-llama/Meta-Llama-3-8B\n---\n", encoding="utf-8"
    )
    (fork / "config.json").write_text("{}", encoding="utf-8")
    (fork / "model.safetensors").write_bytes(b"")
    local = {"teacher": {"model": "./fork", "engine": {"kind": "transformers"}}, "runtime": {}}
    made = space(tmp_path, **local)
    assert made.resolved["./fork"].terms == ("mit", "llama3")
    with pytest.raises(TermsError, match="own family"):
        intent.check(made)


def test_a_registry_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DistillError, match="nosuch"):
        intent.check(space(tmp_path, terms={"registry": "./nosuch"}))


def test_a_stage_alone_checks_terms_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from distill.alone import stage_main

    recipe = space(tmp_path, **teacher("claude-sonnet-4-5", "https://api.anthropic.com/v1")).base / "recipe.yaml"
    assert stage_main("generate", [str(recipe), "--runs", str(tmp_path / "r"), "--cache", str(tmp_path / "c")]) == 2
    assert "does not let its outputs" in capsys.readouterr().err


def test_a_model_is_judged_as_a_base_and_as_the_teacher_of_any_student(tmp_path: Path) -> None:
    found = intent.of("meta-llama/Llama-2-7b", None, tmp_path, tmp_path)
    assert {one.role: one.verdict for one in found.inputs}["teacher's answers"] == "blocked"
    assert found.verdict == "blocked"
    assert intent.of("gpt-4o", None, tmp_path, tmp_path).verdict == "blocked"
    assert [one.role for one in intent.of("tatsu-lab/alpaca", None, tmp_path, tmp_path).inputs] == ["real data"]


def test_the_command_ends_with_a_status_where_it_is_blocked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(space(tmp_path, **teacher("gpt-4o", "https://api.openai.com/v1")).base / "recipe.yaml")
    assert main(["terms", recipe, "--json", "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "blocked" and "blocked for research by gpt-4o" in said.err


def test_the_command_takes_fields_of_a_recipe_and_of_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(space(tmp_path, use="redistribute").base / "recipe.yaml")
    changed = ["--set", "teacher.terms=[llama3.1]", "--cache", str(tmp_path / "cache")]
    assert main(["terms", recipe, *changed]) == 2
    assert main(["terms", recipe, *changed, "--set", "terms.name=Llama-tutor"]) == 0
    assert "must begin with 'Llama'" in capsys.readouterr().out
    assert main(["terms", "gpt-4o", *changed]) == 2
    assert "only a recipe has fields to set" in capsys.readouterr().err


def test_an_own_entry_changes_what_is_made_of_a_stamp_and_never_the_stamp(tmp_path: Path) -> None:
    away = {"runtime": {"server": {"address": "https://llm.example.com/v1"}}}
    own = tmp_path / "terms"
    own.mkdir()
    entry = {
        "id": "house", "name": "House", "layer": "host", "hosts": ["llm.example.com"], "outputs": "no",
        "models": ["qwen-teacher"], "source": {"title": "t", "address": "https://example.com"}, "confidence": "read",
    }  # fmt: skip
    (own / "mine.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    plain, known = space(tmp_path, **away), space(tmp_path, terms={"registry": "./terms"}, **away)
    assert intent.verdict(plain).verdict == "review" and intent.verdict(known).verdict == "blocked"
    assert plain.resolved["qwen-teacher"].terms == known.resolved["qwen-teacher"].terms
    keys = [{name: one.key for name, one in made.planned.items()} for made in (plain, known)]
    assert keys[0] == keys[1]


def test_who_examines_is_of_the_rows_alone(tmp_path: Path) -> None:
    asked = {
        "teachers": {"examiner": {"model": "gpt-4o", "engine": {"kind": "server"}}},
        "benchmark": {"rows": 2, "methods": [{"kind": "answer", "prompts": "pages", "teacher": "examiner"}]},
    }
    real = {**RECIPE["real"], "pages": {"data": "pages.jsonl", "prompt": "q", "terms": ["mit"]}}
    (tmp_path / "pages.jsonl").write_text('{"q": "Where?"}\n')
    servers = {"servers": {name: {"address": f"https://{host}/v1"} for name, host in HOSTS.items()}}
    found = space(tmp_path, real=real, runtime=servers, split={"held_out_prompts": 1}, **asked)
    terms = intent.verdict(found)
    assert (terms.verdict, terms.forms["rows"]) == ("ok", "blocked")
    (line,) = intent.check(found)
    assert line.startswith("terms: of the rows alone, blocked: teacher's answers, gpt-4o")


def test_check_names_entries_that_nobody_has_looked_at(tmp_path: Path) -> None:
    own = tmp_path / "terms"
    own.mkdir()
    entry = shipped().entries["mit"].model_dump(mode="json", exclude_none=True) | {"checked": "2020-01-01"}
    (own / "mine.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    (line,) = intent.check(space(tmp_path, terms={"registry": "./terms"}))
    assert line == "terms: nobody has looked at these entries for half a year: mit"


def test_a_student_is_judged_by_what_it_was_made_from(tmp_path: Path) -> None:
    """It says `mit`, and was built on Llama 3.0, whose outputs train Llama 3 alone."""
    made_from = [{"role": "base weights", "origin": "meta-llama/Meta-Llama-3-8B@1", "terms": []}]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "student.json").write_text(json.dumps({"terms": ["mit"], "depth": 1, "made_from": made_from}))
    found = intent.of(str(tmp_path / "old"), "research", tmp_path, tmp_path)
    blocked = [(one.role, one.origin) for one in found.inputs if one.verdict == "blocked"]
    assert blocked == [("teacher's answers", "meta-llama/Meta-Llama-3-8B@1")]
    with pytest.raises(TermsError, match="own family"):
        intent.check(space(tmp_path, teacher={"model": "./old"}, runtime={}))

"""The registry as it is shipped, and a user's own entries beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.errors import TermsError
from distill.terms.input import Input
from distill.terms.registry import shipped, with_own
from distill.terms.verdict import judge

OWN = """
- id: house
  name: House licence
  layer: licence
  outputs: yes
  source: {title: The house's rules, address: "https://example.com/rules"}
  confidence: read
- permission_of: anthropic-commercial
  reference: letter 2026-031
  dated: 2026-05-04
"""


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_every_entry_says_where_it_is_from_and_how_sure_it_is() -> None:
    for entry in shipped().entries.values():
        assert entry.source.title and entry.source.address.startswith("https://"), entry.id
        assert entry.confidence in ("read", "second-hand", "recalled")


def test_the_shipped_registry_covers_at_least_the_common_families_and_licences() -> None:
    assert len(shipped().entries) >= 45
    for name in ("Apache-2.0", "cc-by-sa-4.0", "llama3", "gemma", "bsd", "cc-by-nd"):
        assert shipped().find(name) is not None, name


def test_llama_3_and_3_1_are_two(subtests: pytest.Subtests) -> None:
    for name, entry in {
        "meta-llama/Meta-Llama-3-8B-Instruct": "llama3",
        "meta-llama/Meta-Llama-3.1-8B-Instruct": "llama3.1",
        "meta-llama/Llama-3.2-1B": "llama3.2",
        "google/gemma-3-1b-it": "gemma",
        "google/gemma-3n-E2B-it": "gemma",
        "google/gemma-4-27b-it": "gemma4",
        "Qwen/Qwen2.5-3B-Instruct": "qwen-research",
        "Qwen/Qwen2.5-32B-Instruct": "qwen3",
        "Qwen/Qwen-7B-Chat": "qwen1",
    }.items():
        with subtests.test(name):
            assert [one.id for one in shipped().covering(name, "model")] == [entry]


def test_no_name_is_claimed_by_two_entries_of_the_shipped_registry() -> None:
    patterns = {pattern: entry.id for entry in shipped().entries.values() for pattern in entry.models}
    for pattern, owner in patterns.items():
        name = pattern.replace("*", "x").replace("[123]", "2")
        assert [entry.id for entry in shipped().covering(name, "model")] == [owner], pattern


def test_own_entries_and_a_permission_are_added(tmp_path: Path) -> None:
    registry = with_own(folder(tmp_path, OWN))
    assert registry.find("house") is not None and registry.own == {"house"}
    teacher = Input("teacher's answers", "claude-sonnet-4-5", host="api.anthropic.com")
    found = judge([teacher], "commercial", registry)
    assert found["merged"].level == "ok"
    assert "letter 2026-031" in found["merged"].inputs[0].findings[0].why
    assert judge([teacher], "commercial", shipped())["merged"].level == "blocked"


def test_an_own_entry_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    text = OWN.replace("id: house", "id: mit").replace("outputs: yes", "outputs: yes\n  commercial: no")
    found = judge([Input("real data", "d", ("mit",))], "commercial", with_own(folder(tmp_path, text)))
    assert found["rows"].level == "blocked"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("layer: licence", "layer: licnce"), "house: layer"),
        (OWN.replace("outputs: yes", "outptus: yes"), "outp"),
        (OWN.replace("permission_of: anthropic-commercial", "permission_of: nobody"), "'nobody', which is no entry"),
        (OWN + OWN, "there twice"),
        (OWN.replace("layer: licence", "layer: licence\n  aliases: [mit]"), "is a name of"),
        (OWN.replace("layer: licence", "layer: licence\n  also: [nothing]"), "names 'nothing'"),
        ("id: house", "no list of entries"),
        ("- [", "cannot be read"),
    ],
)
def test_a_mistake_in_an_own_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TermsError, match=message):
        with_own(folder(tmp_path, text))


def test_two_entries_that_claim_one_model_are_a_doubt(tmp_path: Path) -> None:
    text = OWN.replace("layer: licence", 'layer: weights\n  models: ["meta-llama/Llama-3.1-*"]')
    found = judge([Input("base weights", "meta-llama/Llama-3.1-8B")], "research", with_own(folder(tmp_path, text)))
    assert found["merged"].level == "review"
    assert "both claim" in found["merged"].inputs[0].findings[0].why


def test_a_permission_of_a_licence_is_of_one_work(tmp_path: Path) -> None:
    text = "- permission_of: cc-by-nc-4.0\n  reference: letter\n  dated: 2026-05-04\n"
    with pytest.raises(TermsError, match="does not say of which work"):
        with_own(folder(tmp_path, text))
    registry = with_own(folder(tmp_path, text + "  covers: [someone/questions]\n"))
    levels = [
        judge([Input("real data", name, ("cc-by-nc-4.0",))], "commercial", registry)["rows"].level
        for name in ("someone/questions@1", "another/questions@1")
    ]
    assert levels == ["ok", "blocked"]

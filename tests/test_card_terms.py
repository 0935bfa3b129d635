"""The section of a card that says what may be done: what is asked, what is accepted, what is disclosed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from huggingface_hub import DatasetCard, ModelCard

from distill import card_terms
from distill.cards import DataCard, Ingredient, data_card, ingredients, model_card
from distill.cards import ModelCard as Card
from distill.sources.beside import Beside
from distill.terms.entry import Disclosure, Permission
from distill.terms.input import Input
from distill.terms.registry import Registry, shipped
from distill.terms.shipping import Part
from tests.test_cards import LEDGER, row

LLAMA = Ingredient("teacher", "meta-llama/Llama-3.1-8B-Instruct@1", ("llama3.1",))
BASE = Ingredient("base", "org/base@3", ("mit",))


def parts(*made_from: Ingredient) -> list[Part]:
    return [Part(one, Beside()) for one in card_terms.inputs(made_from)]


def test_duties_and_notices_of_every_form() -> None:
    text = card_terms.section(parts(BASE, LLAMA), shipped(), ("adapter", "merged"), name="tutor")
    assert "| redistribute | blocked | blocked |" in text and "| commercial | ok | ok |" in text
    assert "must begin with 'Llama', and 'tutor' does not: set terms.name" in text
    assert "keep the copyright notice and the licence text" in text
    assert "meta-llama/Llama-3.1-8B-Instruct@1: not stated" in text and "No legal advice" in text


def test_what_was_accepted_and_what_is_permitted_is_said_with_its_reason() -> None:
    odd = Ingredient("real", "house@1", ("house-rules",))
    text = card_terms.section(
        parts(odd), shipped(), ("rows",), accepted={"house-rules": "our own data"}, use="internal"
    )
    assert "| internal (what it was made for) | ok |" in text and r"accepted \(our own data\)" in text
    hosted = Part(Input("teacher's answers", "claude-x@1", host="api.anthropic.com"), Beside())
    assert "blocked" in card_terms.section([hosted], shipped(), ("rows",))
    letter = Permission(permission_of="anthropic-commercial", reference="letter 7", dated=date(2026, 5, 4))
    allowed = Registry(shipped().entries, (letter,))
    text = card_terms.section([hosted], allowed, ("rows",))
    assert "blocked" not in text and "Permitted in writing" in text and "letter 7, 2026-05-04" in text


def test_a_section_takes_the_place_of_another() -> None:
    one, other = (card_terms.section(parts(BASE), shipped(), (form,)) for form in ("adapter", "rows"))
    card = f"# Title\n\n{one}\n## Load it\n"
    assert card_terms.replaced(card, other) == f"# Title\n\n{other}\n## Load it\n"
    assert card_terms.replaced("# Title\n", one) == f"# Title\n\n{one}"


def test_what_a_models_card_says_of_its_data_is_on_the_students() -> None:
    told = Part(Input("base weights", "org/base@1", ("mit",)), Beside(datasets=("org/web", "org/books")))
    assert "its card names org/web, org/books" in card_terms.section([told], shipped(), ("adapter",))


def test_the_hub_reads_both_cards(tmp_path: Path) -> None:
    rows = [*(row(i) for i in range(3)), row(8, source="real", terms=("cc-by-4.0",))]
    found = ingredients(rows)
    went_in = parts(*found)
    front = card_terms.front(went_in, shipped())
    card = DataCard(rows, [row(9)], LEDGER, terms=card_terms.section(went_in, shipped(), ("rows",)), front=front)
    (tmp_path / "data.md").write_text(data_card(card))
    data = DatasetCard.load(tmp_path / "data.md", ignore_metadata_errors=False).data
    assert (data.license, data.license_name, data.license_link) == ("other", "cc-by-4.0-and-mit", "LICENSE.md")
    assert data.source_datasets == ["org/data"] and "synthetic" in data.tags
    went_in = parts(BASE, *found)
    student = Card("s", BASE, found, (), {"r": 4}, {}, "t", 1, front=card_terms.front(went_in, shipped()))
    (tmp_path / "model.md").write_text(model_card(student))
    model = ModelCard.load(tmp_path / "model.md", ignore_metadata_errors=False).data
    assert (model.base_model, model.base_model_relation, model.datasets) == ("org/base", "adapter", ["org/data"])
    assert model.license == "other" and model.license_link == "LICENSE.md"


def test_the_licence_of_the_front_matter_is_that_of_all_that_applies() -> None:
    def front(*made_from: Ingredient) -> dict[str, object]:
        return card_terms.front(parts(*made_from), shipped())

    assert front(BASE) == {"license": "mit"}
    known = Ingredient("base", "HuggingFaceTB/SmolLM2-135M@1", ("apache-2.0",))
    assert front(known) == {"license": "apache-2.0"}, "its name says the same"
    hidden = Ingredient("base", "google/gemma-2-2b@1", ("apache-2.0",))
    assert front(hidden)["license_name"] == "apache-2.0-and-gemma", "its name says more than it declares"
    assert front(BASE, Ingredient("real", "x@1", ())) == {"license": "unknown"}
    served = Ingredient("teacher", "org/t@1", ("mit", "host:api.together.xyz"))
    assert front(served)["license_name"] == "mit-and-together"
    assert front(Ingredient("teacher", "org/t@1", ("mit", "host:nobody.example"))) == {"license": "unknown"}


def test_what_an_own_entry_knows_of_a_models_data_is_on_the_card() -> None:
    entry = (
        shipped()
        .entries["mit"]
        .model_copy(update={"disclosed": Disclosure(text="web pages of 2024", confidence="recalled")})
    )
    known = Registry({**shipped().entries, "mit": entry})
    assert r"org/base@3: web pages of 2024 \[recalled\]" in card_terms.section(parts(BASE), known, ("adapter",))


def test_what_makers_disclose_is_in_the_registry_where_it_is_known() -> None:
    told = Ingredient("base", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B@1", ("mit",))
    assert "800,000 samples" in card_terms.section(parts(told), shipped(), ("adapter",))


def test_an_entry_that_nobody_has_looked_at_is_named_on_the_card() -> None:
    aged = Registry(
        {**shipped().entries, "mit": shipped().entries["mit"].model_copy(update={"checked": date(2020, 1, 1)})}
    )
    text = card_terms.section(parts(BASE), aged, ("adapter",))
    assert "Nobody has looked at these entries for half a year: mit." in text
    assert "half a year" not in card_terms.section(parts(BASE), shipped(), ("adapter",))


def test_a_place_on_this_machine_is_on_no_card() -> None:
    places = [Ingredient("real", "/home/ann/secret/chat.jsonl@sha256:1", ("odd",))]
    assert "/home/ann" not in card_terms.section(parts(*places), shipped(), ("rows",))

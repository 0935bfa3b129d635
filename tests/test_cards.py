"""Cards: front matter a hub can read, terms that are never dropped, and text that cannot break out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

import pytest
import yaml

from distill.cards import (
    DataCard,
    Ingredient,
    ModelCard,
    data_card,
    escape,
    fence,
    hub_id,
    ingredients,
    license_of,
    model_card,
    shown,
    size_category,
)
from distill.rows import Message, Provenance, Row, root_of

LEDGER = {
    "teacher": {"requested": 9, "kept": 4, "dropped": {"length.too_long": 3}, "failed": 1, "missing": 1},
    "real": {"requested": 2, "kept": 2, "dropped": {}, "failed": 0, "missing": 0},
}


def row(
    i: int, answer: str = "So.", source: Literal["teacher", "real"] = "teacher", terms: tuple[str, ...] = ("mit",)
) -> Row:
    messages = (Message(role="user", content=f"Question {i}?"), Message(role="assistant", content=answer))
    origin = "org/teacher@1" if source == "teacher" else "org/data@2"
    method = "answer" if source == "teacher" else "real"
    made = Provenance(source=source, origin=origin, method=method, root=root_of(messages), depth=1, terms=terms)
    return Row(kind="chat", messages=messages, provenance=made)


def front(card: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return loaded


CARD = DataCard([*(row(i) for i in range(4)), row(8, source="real")], [row(9)], LEDGER)
STUDENT = ModelCard(
    name="quickstart",
    base=Ingredient("base", "org/base@3", ("mit",)),
    data=ingredients(CARD.train),
    drop_layers=(),
    lora={"r": 32},
    training={"objective": "sft", "steps": 12},
    template="abc123",
    depth=1,
)


def test_the_data_card_counts_what_it_holds() -> None:
    card = data_card(CARD)
    for line in (
        "5 rows to train on, and 1 held-out rows",
        "| teacher | org/teacher@1 | 4 | mit |",
        "| real | org/data@2 | 1 | mit |",
        "| teacher | answer | 4 |",
        "| teacher | 9 | 4 | 3 | 1 | 1 |",
        "Dropped teacher rows: 3 length.too\\_long.",
        "5 row(s) of depth 1.",
    ):
        assert line in card, line
    shown = re.findall(r"^### Row (\d+)", card, re.M)
    assert shown == ["0", "2", "4"]
    assert front(card) == {
        "license": "mit",
        "tags": ["synthetic", "distillation"],
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "train.jsonl"},
                    {"split": "heldout", "path": "heldout.jsonl"},
                ],
            }
        ],
        "source_datasets": ["org/data"],
    }


def test_files_of_other_kinds_are_listed_and_loaded_apart() -> None:
    instead = (Message(role="assistant", content="Not so."),)
    pairs = [
        row(i, terms=("own terms",)).model_copy(update={"kind": "preference", "rejected": instead}) for i in (5, 6)
    ]
    items = [row(7).model_copy(update={"kind": "benchmark"})]
    card = data_card(replace(CARD, preference=pairs, benchmark=items))
    for line in ("| train.jsonl | 5 | 5 chat |", "| preference.jsonl | 2 | 2 preference |", "Do not train on it."):
        assert line in card, line
    assert front(card)["license"] == "other", "the terms of every file count"
    assert [config["config_name"] for config in front(card)["configs"]] == ["default", "preference", "benchmark"]
    alone = data_card(replace(CARD, train=[], preference=pairs))
    assert "assistant, rejected:" in alone and "Not so." in alone
    assert front(alone)["configs"][0]["data_files"] == [{"split": "heldout", "path": "heldout.jsonl"}]


def test_two_rows_are_shown_once_each() -> None:
    card = data_card(replace(CARD, train=[row(0), row(1)], heldout=[]))
    assert re.findall(r"^### Row (\d+)", card, re.M) == ["0", "1"]
    assert "held-out rows" not in card


def test_text_of_a_model_stays_in_its_fence() -> None:
    evil = "ok\n```\n# Heading\n````\n<script>alert(1)</script>\x1b[31m"
    card = data_card(replace(CARD, train=[row(0, evil)]))
    (block,) = re.findall(r"^assistant:\n\n(`{5,})text\n(.*?)\n\1$", card, re.M | re.S)
    assert "# Heading" in block[1] and "<script>" in block[1]
    assert "\x1b" not in card and "\\x1b" in card


def test_names_cannot_break_the_table_or_the_front_matter() -> None:
    card = model_card(replace(STUDENT, name="x|y\n---\n<b>", base=Ingredient("base", "a|b@<i>", ("m|t",))))
    assert "# x\\|y --- &lt;b&gt;" in card
    assert "| base | a\\|b@&lt;i&gt; |  | m\\|t |" in card
    assert front(card)["license"] == "other"


def test_the_model_card_says_what_it_is_made_of() -> None:
    card = model_card(STUDENT)
    for line in ("| base | org/base@3 |  | mit |", "| lora r | 32 |", "| steps | 12 |", "| chat template | abc123 |"):
        assert line in card, line
    assert front(card)["base_model"] == "org/base" and front(card)["license"] == "mit"
    assert front(card)["datasets"] == ["org/data"]
    assert "AutoPeftModelForCausalLM" in card and "models.load(" in card
    assert "learnt whole" not in card
    assert "the 3 plain texts are learnt whole, to the end token" in model_card(replace(STUDENT, texts=3))


@pytest.mark.parametrize(
    "change", [{"drop_layers": (5, 12)}, {"base": Ingredient("base", "package:a/b.gguf@sha256:1", ("mit",))}]
)
def test_a_base_that_is_not_whole_is_loaded_by_distill_only(change: dict[str, Any]) -> None:
    card = model_card(replace(STUDENT, **change))
    assert "AutoPeftModelForCausalLM" not in card and "models.load(" in card
    assert ("layers were taken out" in card) == ("drop_layers" in change)


def test_what_is_not_known_reads_review_and_is_no_licence() -> None:
    unknown = replace(STUDENT, base=Ingredient("base", "org/base@3", ()))
    assert "| base | org/base@3 |  | review |" in model_card(unknown)
    assert front(model_card(unknown))["license"] == "unknown"
    mixed = ingredients([row(0), row(1, terms=("unknown", "mit"))])
    assert mixed == (Ingredient("teacher", "org/teacher@1", ("mit", "unknown"), 2),)
    assert license_of(mixed) == "unknown"


@pytest.mark.parametrize(
    ("terms", "licence"),
    [(["mit"], "mit"), (["mit", "apache-2.0"], "other"), (["our own terms"], "other"), ([], "unknown")],
)
def test_the_licence_of_a_whole(terms: list[str], licence: str) -> None:
    assert license_of([Ingredient("real", "a@1", (term,)) for term in terms]) == licence


@pytest.mark.parametrize(
    ("origin", "hub"),
    [
        ("org/name@abc", "org/name"),
        ("org/name.v-2@abc", "org/name.v-2"),
        ("package:a/b@sha256:1", None),
        ("./folder/file@sha256:1", None),
        ("run:x/train@sha256:1", None),
        ("/abs/path@sha256:1", None),
    ],
)
def test_only_hub_ids_are_named_to_the_hub(origin: str, hub: str | None) -> None:
    assert hub_id(origin) == hub


def test_size_buckets_meet_without_a_gap() -> None:
    assert [size_category(n) for n in (999, 1_000, 99_999, 10**6, 10**7)] == [
        "n<1K",
        "1K<n<10K",
        "10K<n<100K",
        "1M<n<10M",
        "n>10M",
    ]


def test_escaped_text_is_one_line_without_markup() -> None:
    assert escape("a\n*b* [c](d) `e`\x00 <f>") == "a \\*b\\* \\[c\\]\\(d\\) \\`e\\` &lt;f&gt;"
    assert fence("a ``` b").startswith("````text\n")


def test_how_much_the_teacher_has_by_heart_is_on_the_data_card() -> None:
    note = "verbatim: 3 of 6 rows (50.0%) share more than 50 words in a row with book"
    card = data_card(replace(CARD, ledger={**LEDGER, "notes": [note, "other: of no concern"]}))
    assert (
        "Of what the teacher has by heart: verbatim: 3 of 6 rows \\(50.0%\\) share" in card and "no concern" not in card
    )


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("/home/ann/chat.jsonl@sha256:1", "chat.jsonl@sha256:1"),
        ("~/models/own@1+/tmp/adapter@2", "own@1+adapter@2"),
        ("rows:/data/kept.jsonl@1", "rows:kept.jsonl@1"),
        ("./chat.jsonl@1", "./chat.jsonl@1"),
        ("org/name@1", "org/name@1"),
        ("package:pydantic/data@1", "package:pydantic/data@1"),
        ("run:first/train@1", "run:first/train@1"),
    ],
)
def test_an_origin_as_others_may_read_it(origin: str, said: str) -> None:
    assert shown(origin) == said

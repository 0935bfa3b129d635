"""Licence files that must travel: as they lie with what they are of, else the common text with its holders."""

from __future__ import annotations

from pathlib import Path

from distill.sources.beside import Beside
from distill.terms.entry import FORMS
from distill.terms.input import Input
from distill.terms.registry import shipped as registry
from distill.terms.shipping import OVERVIEW, Part, parts, shipped, write


def test_a_file_that_lies_with_it_goes_along_and_the_common_text_does_not() -> None:
    own = Beside({"LICENSE": "Their text.", "NOTICE": "By them."}, ("Ann",))
    files = shipped([Part(Input("base weights", "org/base@1", ("apache-2.0",)), own)], ("merged",), registry())
    assert set(files) == {OVERVIEW, "licences/org-base/LICENSE", "licences/org-base/NOTICE"}
    assert "[licences/org-base/NOTICE](licences/org-base/NOTICE)" in files[OVERVIEW]


def test_a_common_text_has_the_holders_or_says_whose_they_are() -> None:
    ann = Part(Input("real data", "package:faq/data@1", ("bsd-3-clause",)), Beside(holders=("Ann Author",)))
    bob = Part(Input("real data", "./bob.jsonl@1", ("mit",)), Beside())
    files = shipped([ann, bob], ("rows",), registry())
    assert "Copyright (c) Ann Author\n" in files["licences/bsd-3-clause.txt"]
    assert "Copyright (c) the authors of ./bob.jsonl\n" in files["licences/mit.txt"]
    assert "[holders]" not in "".join(files.values())


def test_only_what_asks_for_it_goes_along() -> None:
    teacher = Part(Input("teacher's answers", "org/teacher@1", ("apache-2.0",)), Beside({"LICENSE": "Text."}))
    files = shipped([teacher], FORMS, registry())
    assert set(files) == {OVERVIEW}, "a student of its outputs holds nothing of its weights"
    assert "Apache License 2.0 (`apache-2.0`), <https://www.apache.org" in files[OVERVIEW]


def test_a_licence_without_a_text_here_is_named_with_its_address_and_an_unknown_one_is_to_be_reviewed() -> None:
    base = Part(Input("base weights", "meta-llama/Llama-3.1-8B@1", ("llama3.1",)), Beside())
    odd = Part(Input("real data", "odd@1", ("house-rules",)), Beside())
    overview = shipped([base, odd], FORMS, registry())[OVERVIEW]
    assert "<https://github.com/meta-llama/" in overview and "ship a copy of the agreement" in overview
    assert "to be reviewed: 'house-rules' is not among the licences" in overview


def test_what_lies_in_a_folder_or_with_a_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "LICENSE.txt").write_text("Text.")
    (tmp_path / "model" / "README.md").write_text("---\ndatasets: [org/web]\n---\n")
    (tmp_path / "model" / "weights.gguf").touch()
    (found,) = parts([Input("base weights", "x@1", ("mit",))], {"x@1": tmp_path / "model" / "weights.gguf"})
    assert found.found == Beside({"LICENSE.txt": "Text."}, (), ("org/web",))
    (package,) = parts([Input("base weights", "package:pydantic/x@1", ("mit",))])
    assert "Permission is hereby granted" in package.found.files["LICENSE"]
    write(tmp_path, shipped([package], ("merged",), registry()))
    assert (tmp_path / "licences" / "package-pydantic-x" / "LICENSE").is_file()


def test_names_that_are_written_alike_have_folders_of_their_own() -> None:
    went_in = [
        Part(Input("base weights", name, ("mit",)), Beside({"LICENSE": f"Of {name}."}))
        for name in ("org/a-b@1", "org-a/b@1", "org/a-b@2")
    ]
    files = shipped(went_in, ("merged",), registry())
    assert sorted(text for name, text in files.items() if name.endswith("/LICENSE")) == [
        "Of org-a/b@1.", "Of org/a-b@1.", "Of org/a-b@2."
    ]  # fmt: skip
    for part in went_in:
        _, _, said = files[OVERVIEW].partition(f"`{part.input.origin}`")
        (link,) = [name for name in files if name.endswith("/LICENSE") and name in said.partition("## ")[0]]
        assert files[link] == part.found.files["LICENSE"]


def test_a_place_on_this_machine_is_in_no_file() -> None:
    own = Part(Input("real data", "/home/ann/secret/chat.jsonl@1", ("mit",)), Beside({"LICENSE": "Text."}))
    bare = Part(Input("real data", "~/other.jsonl@1", ("mit",)), Beside())
    files = shipped([own, bare], ("rows",), registry())
    assert "licences/chat.jsonl/LICENSE" in files
    assert not any("ann" in name or "secret" in text or "~/" in text for name, text in files.items())


def test_a_policy_alone_is_not_the_licence() -> None:
    policy = Part(Input("base weights", "org/base@1", ("apache-2.0",)), Beside({"USE_POLICY.md": "Be good."}))
    files = shipped([policy], ("merged",), registry())
    assert {"licences/org-base/USE_POLICY.md", "licences/apache-2.0.txt"} <= set(files)


def test_the_overview_says_how_old_an_entry_is_and_what_is_known_besides() -> None:
    went_in = [Part(Input("base weights", "meta-llama/Llama-3.2-1B@1", ("llama3.2",)), Beside())]
    overview = shipped(went_in, ("merged",), registry())[OVERVIEW]
    assert (
        "of 2024-09-25, looked at 2026-11-22" in overview
        and "not licensed to entities based in the European Union" in overview
    )
    hosted = [Part(Input("teacher's answers", "grok-4@1", host="api.x.ai"), Beside())]
    assert '"distill model behavior"' in shipped(hosted, ("rows",), registry())[OVERVIEW]

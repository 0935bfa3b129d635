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

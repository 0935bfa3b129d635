"""python -m pytest tests/test_licences.py"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.sources.licences import card_terms, package_terms, student_terms


def install(folder: Path, name: str, module: str, *fields: str) -> None:
    """What an installer leaves of a package: its module and its metadata."""
    (folder / module).mkdir()
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    header = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields]
    (info / "METADATA").write_text("\n".join(header) + "\n\ntext\n")
    (info / "top_level.txt").write_text(f"{module}\n")
    (info / "RECORD").write_text(f"{module}/__init__.py,,\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["License-Expression: Apache-2.0", "License: MIT"], ("apache-2.0",)),
        (["License-Expression: MIT AND BSD-3-Clause"], ("mit", "bsd-3-clause")),
        (["License-Expression: MIT OR Apache-2.0"], ("mit or apache-2.0",)),
        (["License: BSD 3-Clause License"], ("bsd-3-clause",)),
        (["License: Apache License, Version 2.0"], ("apache-2.0",)),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], ("mit",)),
        (["Classifier: License :: OSI Approved :: BSD License"], ("bsd",)),
        (["Classifier: License :: Other/Proprietary License"], ()),
        (["License: Redistribution and use in source and binary forms are permitted provided that"], ()),
        ([], ()),
    ],
)
def test_terms_of_a_package(
    fields: list[str], expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "some_data", "some_data", *fields)
    assert package_terms("some_data") == expected


def test_a_module_of_another_name_than_its_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "published_name", "module_name", "License: MIT")
    assert package_terms("module_name") == ("mit",)
    assert package_terms("module_of_nobody") == ()


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: Apache-2.0\n---\n# text", ("apache-2.0",)),
        ("---\nlicense:\n- mit\n- cc-by-sa-4.0\n---\n", ("mit", "cc-by-sa-4.0")),
        ("---\nlicense: other\nlicense_name: llama3.2\n---\n", ("llama3.2",)),
        ("---\nlicense: other\n---\n", ()),
        ("---\nlicense: unknown\n---\n", ()),
        ("---\nlicense: [\n---\n", ()),
        ("---\n- a list\n---\n", ()),
        ("# license: mit", ()),
    ],
)
def test_terms_of_a_card(card: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    assert card_terms(tmp_path) == expected


def test_a_folder_without_a_card_states_nothing(tmp_path: Path) -> None:
    assert card_terms(tmp_path) == ()
    (tmp_path / "README.md").write_bytes(b"\xff\xfe\x00")
    assert card_terms(tmp_path) == ()


def test_terms_of_a_student_are_all_it_carries(tmp_path: Path) -> None:
    (tmp_path / "student.json").write_text(json.dumps({"terms": ["apache-2.0", "bsd"]}))
    assert student_terms(tmp_path) == ("apache-2.0", "bsd")
    assert student_terms(tmp_path / "nowhere") == ()
